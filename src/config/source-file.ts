// A file as it is loaded: its text and where in it something stands.
import type { Origin } from '../diagnostics/origin.js';
import { LineIndex } from './yaml/line-index.js';
import type { Span } from './yaml/tree.js';

/** A text with its name: turns spans into origins. */
export class SourceFile {
  readonly name: string;
  /** Without a byte order mark. */
  readonly text: string;
  private readonly lines: LineIndex;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text.startsWith('\uFEFF') ? text.slice(1) : text;
    this.lines = new LineIndex(this.text);
  }

  /** Lines and columns of a span; `resource` is 'Gateway/shop/public'. */
  origin(span: Span, resource?: string): Origin {
    const start = this.lines.position(span.start);
    const end = this.lines.position(Math.max(span.end, span.start));
    return {
      file: this.name,
      line: start.line,
      column: start.column,
      endLine: end.line,
      endColumn: end.column,
      ...(resource === undefined ? {} : { resource }),
    };
  }
}
