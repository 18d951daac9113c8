// Who in a cluster refuses an object first, and what that one says. The API server asks in layers: strict decoding,
// then the schema, then its rules, then istiod's webhook; a layer that refuses hides those behind it. Spec
// validation.md §0, §7.2.
import {
  BadDuration,
  FractionalInteger,
  RequiredValue,
  RulesNotChecked,
  SchemaRule,
  SchemaValidationError,
  SchemaWarning,
  ShortDuration,
  TooLong,
  TooManyItems,
  UnknownField,
  UnsupportedValue,
  VirtualServiceIneffectiveMatch,
  VirtualServiceUnreachableRule,
  WebhookDenial,
  WrongType,
} from '../diagnostics/catalogue.js';
import type { DiagnosticDetails, MessageType, RefusedBy } from '../diagnostics/diagnostic.js';
import { compareText } from './text-order.js';
import type { WebhookAnswer, WebhookWarning } from './validate/webhook.js';
import type { Span } from './yaml/tree.js';

/** What a decoder reported of one object. */
export interface Report {
  readonly type: MessageType;
  readonly span: Span;
  readonly parameters: Readonly<Record<string, string | number>>;
  readonly details: DiagnosticDetails;
}

/** What is told of an object, in the order in which it is told. */
export interface Verdict {
  /** `undefined`: stored. */
  readonly refusedBy: RefusedBy | undefined;
  readonly reports: readonly Report[];
}

/** Errors after which the API server does not evaluate the rules of the schema. */
const BLOCKING: ReadonlySet<MessageType> = new Set([
  RequiredValue,
  TooManyItems,
  TooLong,
  WrongType,
  FractionalInteger,
  UnsupportedValue,
]);
/** Rules (CEL) of the schema. */
const RULES: ReadonlySet<MessageType> = new Set([SchemaRule, ShortDuration, BadDuration]);

/**
 * Sifts what was found wrong with an object. `answer`: the webhook's, which counts when nobody before it refuses.
 * `objectSpan`: where the object begins, for what has no place of its own.
 */
export function judge(found: readonly Report[], answer: WebhookAnswer | undefined, objectSpan: Span): Verdict {
  const errors = found.filter(({ type }) => type.severity === 'error');
  // What postern does not emulate has nothing to do with what a cluster refuses.
  const ours = found.filter(({ type }) => type.severity !== 'error').sort(byPlace);
  const strict = errors.filter(({ details }) => details.refusedBy === 'strict');
  if (strict.length > 0) return { refusedBy: 'strict', reports: [...joinUnknownFields(strict), ...ours] };
  if (errors.length > 0)
    return { refusedBy: 'schema', reports: [...schemaReports(errors, objectSpan, answer !== undefined), ...ours] };
  if (answer === undefined) return { refusedBy: undefined, reports: ours };
  return {
    refusedBy: answer.errors.length > 0 ? 'webhook' : undefined,
    reports: [...webhookErrors(answer), ...ours, ...answer.warnings.map(warningReport)],
  };
}

/** Every unknown field is named in one text; those of metadata come first, as they are read first. */
function joinUnknownFields(strict: readonly Report[]): readonly Report[] {
  const unknown = strict.filter(({ type }) => type === UnknownField).sort(byPath);
  const [first, ...more] = unknown;
  if (first === undefined || more.length === 0) return strict;
  const earliest = [...unknown].sort(byPlace)[0] ?? first;
  const path = unknown.map((report) => pathOf(report)).join('", unknown field "');
  const { label, ...details } = earliest.details;
  const joined: Report = {
    type: UnknownField,
    span: earliest.span,
    parameters: { path },
    details: { ...details, label: `${label ?? 'no such field'} (${unknown.length} unknown fields)` },
  };
  return [...strict.filter(({ type }) => type !== UnknownField), joined].sort(byPlace);
}

function pathOf(report: Report): string {
  return String(report.parameters['path'] ?? '');
}

function byPath(a: Report, b: Report): number {
  const [first, second] = [pathOf(a), pathOf(b)];
  const metadata = Number(second.startsWith('metadata.')) - Number(first.startsWith('metadata.'));
  return metadata || compareText(first, second);
}

/** `isCustom`: a kind with a schema and rules; Kubernetes' own kinds are checked by code, which does not stop. */
function schemaReports(errors: readonly Report[], objectSpan: Span, isCustom: boolean): readonly Report[] {
  if (!errors.some(({ type }) => BLOCKING.has(type)) || !isCustom) return [...errors].sort(byPlace);
  const checked = errors.filter(({ type }) => !RULES.has(type));
  const notChecked: Report = {
    type: RulesNotChecked,
    span: objectSpan,
    parameters: {},
    details: { refusedBy: 'schema' },
  };
  return [...[...checked].sort(byPlace), notChecked];
}

function byPlace(a: Report, b: Report): number {
  return a.span.start - b.span.start;
}

/** In Istio's order. Of an object that is refused a cluster shows no warnings; istioctl does, and so do we. */
function webhookErrors(answer: WebhookAnswer): readonly Report[] {
  const type = answer.errorsFrom === 'rules' ? SchemaValidationError : WebhookDenial;
  return answer.errors.map(({ text, span }) => ({
    type,
    span,
    parameters: { error: text },
    details: { refusedBy: 'webhook' },
  }));
}

function warningReport({ text, span, unused }: WebhookWarning): Report {
  if (unused === undefined) return { type: SchemaWarning, span, parameters: { warning: text }, details: {} };
  const { kind, ...parameters } = unused;
  const type = kind === 'rule' ? VirtualServiceUnreachableRule : VirtualServiceIneffectiveMatch;
  return { type, span, parameters, details: {} };
}
