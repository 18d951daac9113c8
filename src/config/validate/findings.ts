// What the webhook has to say of one object, and how it joins several errors into one text (hashicorp/go-multierror).
// Spec validation.md §1.
import type { Span } from '../yaml/tree.js';

/** An error of istiod's webhook. */
export interface WebhookError {
  /** Istio's own text. */
  readonly text: string;
  /** The smallest place at fault. */
  readonly span: Span;
  /** Comes out of Istio as a block of errors, even alone. */
  readonly block: boolean;
}

/** A warning of istiod's webhook. */
export interface WebhookWarning {
  readonly text: string;
  readonly span: Span;
  /** Of a rule or match that has no effect; `istioctl analyze` says these under codes of their own. */
  readonly unused?: UnusedRule;
}

/** Parameters of IST0130 (without `match`) and IST0131. */
export type UnusedRule =
  | { readonly kind: 'rule'; readonly rule: string; readonly reason: string }
  | { readonly kind: 'match'; readonly rule: string; readonly match: string; readonly other: string };

/** Beyond this nobody reads on, and a hostile file would fill the memory. */
const MAX_FINDINGS = 1000;
const MAX_CHARACTERS = 1_000_000;

/** Collects in the order of evaluation. */
export class Findings {
  readonly errors: WebhookError[] = [];
  readonly warnings: WebhookWarning[] = [];
  private characters = 0;

  /** No more is taken: a check of many pairs may stop. */
  get full(): boolean {
    return this.characters > MAX_CHARACTERS || this.errors.length + this.warnings.length >= MAX_FINDINGS;
  }

  error(text: string, span: Span): void {
    this.addError({ text, span, block: false });
  }

  /** For checks that answer with a text or nothing. */
  errorIf(text: string | undefined, span: Span): void {
    if (text !== undefined) this.error(text, span);
  }

  /** An error that Istio wraps into a block of its own. */
  blockError(text: string, span: Span): void {
    this.addError({ text, span, block: true });
  }

  warning(text: string, span: Span, unused?: UnusedRule): void {
    if (this.full) return;
    this.characters += text.length;
    this.warnings.push(unused === undefined ? { text, span } : { text, span, unused });
  }

  /** Takes over the errors of a part whose caller in Istio forgets its warnings (spec §1). */
  addErrors(part: Findings): void {
    for (const error of part.errors) this.addError(error);
  }

  private addError(error: WebhookError): void {
    if (this.full) return;
    this.characters += error.text.length;
    this.errors.push(error);
  }
}

/** One error as it is, several as a block with their number. */
export function joinErrors(errors: readonly WebhookError[]): string {
  const [first] = errors;
  if (first === undefined) return '';
  if (errors.length === 1 && !first.block) return first.text;
  const heading = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `${heading}\n${errors.map(({ text }) => `\t* ${text}\n`).join('')}\n`;
}
