// A diagnostic: a code, a place and one message. Printing is `render.ts`, texts are `catalogue.ts`.
import type { Origin } from './origin.js';

/** Errors stop everything, warnings and infos nothing. */
export type Severity = 'error' | 'warning' | 'info';

/**
 * Who in a cluster would have refused the object: unknown kind, strict decoding (also of what cannot be read at all), CRD
 * schema, istiod's webhook.
 */
export type RefusedBy = 'kind' | 'strict' | 'schema' | 'webhook';

/** Something that is worth a line, with its place where it has one. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly origin?: Origin;
  /** Text under the caret of the code frame. */
  readonly label?: string;
  /** How to fix it, one sentence. */
  readonly help?: string;
  readonly refusedBy?: RefusedBy;
}

/** One row of the catalogue; `{name}` in the template is replaced by the parameter of that name. */
export interface MessageType {
  readonly code: string;
  readonly severity: Severity;
  readonly template: string;
  /** What it means and why it matters, in a sentence or two: for `postern codes`. */
  readonly explanation?: string;
  /** How to fix it, where that is the same every time; a diagnostic's own `help` wins. `{name}` as in the template. */
  readonly help?: string;
}

/** What a reporter adds to a message type. */
export interface DiagnosticDetails {
  readonly label?: string;
  readonly help?: string;
  readonly refusedBy?: RefusedBy;
}

/** How a step says what it found; collecting and printing are the caller's. Never throws. */
export type Reporter = (
  type: MessageType,
  origin: Origin | undefined,
  parameters?: Readonly<Record<string, string | number>>,
  details?: DiagnosticDetails,
) => void;

/** Builds the diagnostic of a catalogue row. */
export function createDiagnostic(
  type: MessageType,
  origin: Origin | undefined,
  parameters: Readonly<Record<string, string | number>> = {},
  details: DiagnosticDetails = {},
): Diagnostic {
  return {
    code: type.code,
    severity: type.severity,
    message: fill(type.template, parameters),
    ...(origin === undefined ? {} : { origin }),
    ...(type.help === undefined ? {} : { help: fill(type.help, parameters) }),
    ...details,
  };
}

function fill(template: string, parameters: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    return value === undefined ? whole : String(value);
  });
}

/** A reporter that appends to `into`. */
export function collect(into: Diagnostic[]): Reporter {
  return (type, origin, parameters, details) => {
    into.push(createDiagnostic(type, origin, parameters, details));
  };
}

/** True when the configuration cannot be used. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}
