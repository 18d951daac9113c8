// One object as the webhook gets it. Spec validation.md §2.5, §3–§6.
import type { Span } from '../yaml/tree.js';
import type { Findings } from './findings.js';
import type { Written } from './written.js';

export interface WebhookObject {
  readonly name: string;
  /** Its own, or the one that objects without a namespace are in. */
  readonly namespace: string;
  /** Where the object says its name. */
  readonly nameSpan: Span;
  readonly metadata: Written;
  readonly spec: Written;
}

/** The webhook's rules of one kind; never throws. */
export type Validator = (object: WebhookObject, found: Findings) => void;
