// `postern codes [CODE]`: every message that postern can give, and a page for each.
import { Command } from 'commander';
import * as catalogue from '../diagnostics/catalogue.js';
import type { MessageType } from '../diagnostics/diagnostic.js';
import { CODE_PAGES } from '../diagnostics/pages/index.js';
import { CommandError, USAGE } from './exit-codes.js';
import { table } from './start-table.js';

export function codesCommand(): Command {
  return new Command('codes')
    .description('every code that postern can give; with a CODE what it means, an example, and how to fix it')
    .argument('[CODE]', 'IST0101, pst1310, 101')
    .action((code: string | undefined) => {
      process.stdout.write(code === undefined ? renderList() : renderPage(code));
    });
}

interface Entry {
  readonly name: string;
  readonly type: MessageType;
}

function entries(): readonly Entry[] {
  return Object.entries(catalogue)
    .map(([name, type]) => ({ name, type }))
    .sort((a, b) => (a.type.code < b.type.code ? -1 : 1));
}

function renderList(): string {
  const rows = entries().map(({ name, type }) => [type.code, type.severity, name, shorten(type.template)]);
  return `${table(['CODE', 'SEVERITY', 'NAME', 'MESSAGE'], rows).join('\n')}\n`;
}

const WIDTH = 90;

function shorten(text: string): string {
  return text.length <= WIDTH ? text : `${text.slice(0, WIDTH - 1)}…`;
}

function renderPage(written: string): string {
  const wanted = written.toUpperCase();
  const number = /^\d{1,4}$/.test(wanted) ? wanted.padStart(4, '0') : undefined;
  const found = entries().filter(({ name, type }) =>
    number === undefined
      ? type.code === wanted || name.toUpperCase() === wanted
      : type.code === `IST${number}` || type.code === `PST${number}`,
  );
  if (found.length === 0) throw new CommandError(USAGE, `no code ${written}; \`postern codes\` lists them`);
  return found.map(pageOf).join('\n');
}

function pageOf({ name, type }: Entry): string {
  const page = CODE_PAGES[type.code];
  const sections = [
    `${type.code} ${name} (${type.severity})`,
    indent(type.template),
    section('What it means', type.explanation),
    section('Example', exampleOf(page?.example, page?.shownBy, page?.shownAs)),
    section('How to fix it', page?.fix ?? type.help),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

function exampleOf(
  example: string | undefined,
  shownBy: string | undefined,
  shownAs: string | undefined,
): string | undefined {
  const by =
    shownAs !== undefined
      ? `\`postern analyze\` says it as ${shownAs}; \`run\` and \`explain\` give this code.`
      : shownBy !== undefined
        ? `Given by: ${shownBy}`
        : undefined;
  const parts = [by, example?.trimEnd()].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : parts.join('\n\n');
}

function section(title: string, text: string | undefined): string {
  return text === undefined ? '' : `${title}:\n${indent(text)}`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
