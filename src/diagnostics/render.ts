// Diagnostics as people read them, in the manner of a compiler, and as JSON.
//
//     gateway.yaml:14:23 - error IST0101: Referenced credentialName not found: "shop-tls"
//     14 |       credentialName: shop-tls
//        |                       ^^^^^^^^ looked for Secret istio-system/shop-tls
//        = help: add that Secret to the loaded files
import { codeFrame } from './code-frame.js';
import type { Diagnostic, RefusedBy, Severity } from './diagnostic.js';

/** The texts of the loaded files, for code frames; where there is none the frame is left out. */
export type SourceTexts =
  | ((file: string) => string | undefined)
  | readonly { readonly file: string; readonly text: string }[];

/** How to print. */
export interface RenderOptions {
  /** ANSI colours; default false. */
  readonly color?: boolean;
}

type Style = 'error' | 'warning' | 'info' | 'place' | 'faint';
type Paint = (style: Style, text: string) => string;

const ANSI: Readonly<Record<Style, string>> = { error: '1;31', warning: '1;33', info: '1;34', place: '36', faint: '2' };
const coloured: Paint = (style, text) => `\u001b[${ANSI[style]}m${text}\u001b[0m`;
const plain: Paint = (_, text) => text;

/** One diagnostic with its code frame; no newline at the end. */
export function renderDiagnostic(diagnostic: Diagnostic, sources: SourceTexts, options: RenderOptions = {}): string {
  return render(diagnostic, linesOf(sources), options.color === true ? coloured : plain);
}

/** All of them in the given order, with a blank line between and a newline at the end; '' for none. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: SourceTexts,
  options: RenderOptions = {},
): string {
  const lines = linesOf(sources);
  const paint = options.color === true ? coloured : plain;
  const rendered = diagnostics.map((diagnostic) => render(diagnostic, lines, paint));
  return rendered.length === 0 ? '' : `${rendered.join('\n\n')}\n`;
}

type LinesOf = (file: string) => readonly string[] | undefined;

function linesOf(sources: SourceTexts): LinesOf {
  const textOf = typeof sources === 'function' ? sources : textIn(sources);
  const known = new Map<string, readonly string[] | undefined>();
  return (file) => {
    if (!known.has(file))
      known.set(
        file,
        textOf(file)
          ?.replace(/^\uFEFF/, '')
          .split(/\r?\n/),
      );
    return known.get(file);
  };
}

function textIn(
  sources: readonly { readonly file: string; readonly text: string }[],
): (file: string) => string | undefined {
  return (file) => sources.find((source) => source.file === file)?.text;
}

function render(diagnostic: Diagnostic, linesOf: LinesOf, paint: Paint): string {
  const { severity, code, message, origin, label, help } = diagnostic;
  const place = origin === undefined ? '' : `${paint('place', `${origin.file}:${origin.line}:${origin.column}`)} - `;
  const rendered = [`${place}${paint(severity, severity)} ${paint('faint', `${code}:`)} ${harmless(message)}`];
  const lines = origin === undefined ? undefined : linesOf(origin.file);
  const frame = origin === undefined || lines === undefined ? undefined : codeFrame(lines, origin);
  const gutter = ' '.repeat(frame === undefined ? 1 : String(frame.line).length);
  if (frame !== undefined) {
    const marks = paint(severity, label === undefined ? frame.marks : `${frame.marks} ${harmless(label)}`);
    rendered.push(`${paint('faint', `${frame.line} |`)} ${frame.text}`);
    rendered.push(`${paint('faint', `${gutter} |`)} ${frame.indent}${marks}`);
  }
  if (help !== undefined) rendered.push(`${paint('faint', `${gutter} = help:`)} ${harmless(help)}`);
  return rendered.join('\n');
}

/** Messages quote what users wrote: nothing in them may move a terminal's cursor. */
function harmless(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** '2 errors, 1 warning'; '' when there is nothing but infos. */
export function summarizeDiagnostics(diagnostics: readonly Diagnostic[]): string {
  const count = (severity: Severity): number => diagnostics.filter((one) => one.severity === severity).length;
  return [['error', count('error')] as const, ['warning', count('warning')] as const]
    .filter(([, number]) => number > 0)
    .map(([word, number]) => `${number} ${word}${number === 1 ? '' : 's'}`)
    .join(', ');
}

/** A diagnostic for other programs: `postern analyze -o json`. Without a place, the place's fields are absent. */
export interface DiagnosticJson {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** 'Gateway/shop/public'. */
  readonly resource?: string;
  readonly refusedBy?: RefusedBy;
}

/** Label and help are for people and left out. */
export function diagnosticToJson(diagnostic: Diagnostic): DiagnosticJson {
  const { code, severity, message, origin, refusedBy } = diagnostic;
  return {
    code,
    severity,
    message,
    ...(origin === undefined ? {} : { file: origin.file, line: origin.line, column: origin.column }),
    ...(origin?.resource === undefined ? {} : { resource: origin.resource }),
    ...(refusedBy === undefined ? {} : { refusedBy }),
  };
}
