// The line of the user's file that a diagnostic points at, with the place underlined.
import type { Origin } from './origin.js';
import { maskSecrets } from './secret-mask.js';

/** A source line and the marks below it. */
export interface CodeFrame {
  readonly line: number;
  /** The line, or the part of a very long one around the place. */
  readonly text: string;
  /** Blanks up to the place. */
  readonly indent: string;
  /** At least one `^`. */
  readonly marks: string;
}

/** Longest line that is shown whole. */
const MAX_WIDTH = 160;
const CONTEXT_BEFORE = 60;

/** `undefined` when the line is not in the text: the file changed since it was read. */
export function codeFrame(lines: readonly string[], origin: Origin): CodeFrame | undefined {
  const raw = lines[origin.line - 1];
  if (raw === undefined || origin.column > raw.length + 1) return undefined;
  const masked = printable(maskSecrets(lines, origin.line - 1, origin.resource));
  const start = origin.column - 1;
  const lineEnd = raw.trimEnd().length;
  const written = origin.endLine === origin.line && origin.endColumn !== undefined ? origin.endColumn - 1 : lineEnd;
  const end = Math.max(start + 1, Math.min(written, Math.max(lineEnd, start + 1)));
  const from = masked.length > MAX_WIDTH ? Math.max(0, start - CONTEXT_BEFORE) : 0;
  const to = Math.min(masked.length, from + MAX_WIDTH);
  const lead = from > 0 ? '…' : '';
  return {
    line: origin.line,
    text: lead + masked.slice(from, to) + (to < masked.length ? '…' : ''),
    indent: ' '.repeat(lead.length + start - from),
    marks: '^'.repeat(Math.max(1, Math.min(end, to) - start)),
  };
}

/** One column per character, and nothing that a terminal would obey. */
function printable(text: string): string {
  return text
    .replace(/\t/g, ' ')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')
    .trimEnd();
}
