// Findings as workflow commands of GitHub Actions, which shows them beside the changed lines.
import type { Diagnostic, Severity } from './diagnostic.js';

const COMMANDS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'notice' };

/** One line per finding, each with a newline; '' for none. */
export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${command(diagnostic)}\n`).join('');
}

function command({ code, severity, message, origin, help }: Diagnostic): string {
  const properties: [string, string | number][] = [];
  if (origin !== undefined) {
    properties.push(['file', origin.file], ['line', origin.line], ['col', origin.column]);
    if (origin.endLine !== undefined) properties.push(['endLine', origin.endLine]);
    // A column range over several lines is not shown at all.
    if (origin.endColumn !== undefined && origin.endLine === origin.line)
      properties.push(['endColumn', origin.endColumn]);
  }
  properties.push(['title', code]);
  const written = properties.map(([name, value]) => `${name}=${property(String(value))}`).join(',');
  const text = help === undefined ? message : `${message}\nhelp: ${help}`;
  return `::${COMMANDS[severity]} ${written}::${data(text)}`;
}

function data(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

function property(text: string): string {
  return data(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
}
