// A contract file while it is read: its places and its mistakes.
import { SourceFile } from '../config/source-file.js';
import type { Span } from '../config/yaml/tree.js';
import { collect, type Diagnostic, type DiagnosticDetails, type MessageType } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';

/** Turns spans into places and keeps what is reported. */
export class FileReader {
  readonly diagnostics: Diagnostic[] = [];
  private readonly file: SourceFile;
  private readonly collector = collect(this.diagnostics);

  constructor(name: string, text: string) {
    this.file = new SourceFile(name, text);
  }

  get text(): string {
    return this.file.text;
  }

  origin(span: Span): Origin {
    return this.file.origin(span);
  }

  report(
    type: MessageType,
    span: Span,
    parameters: Readonly<Record<string, string | number>> = {},
    details?: DiagnosticDetails,
  ): void {
    this.collector(type, this.origin(span), parameters, details);
  }
}
