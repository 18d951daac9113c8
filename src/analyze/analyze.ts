// Runs the analyzers over a configuration, and brings what they and loading found into one order. Spec validation.md
// §10.1 (order, collapsing), §10.2 (namespaces, suppression).
import type { LoadResult } from '../config/load.js';
import type { MeshConfig } from '../config/model/mesh-config.js';
import { compareText } from '../config/text-order.js';
import { WrittenObject } from '../config/written-object.js';
import { createDiagnostic, type Diagnostic, type MessageType, type Severity } from '../diagnostics/diagnostic.js';
import type { AnalysisContext, FindingDetails, GatewayView, Parameters } from './analyzer.js';
import { ISTIO_ANALYZERS, OWN_ANALYZERS } from './analyzers.js';
import { Field } from './field.js';
import { isSaidAgain } from './istio/schema-validation.js';
import { isSystemNamespace } from './istio/system-namespaces.js';
import { type AssumedGateway, indexObjects, isAssumed } from './object-index.js';
import { withoutRestated } from './restated.js';
import { type Suppression, suppresses } from './suppression.js';

/** What to analyze for, and what to leave out. */
export interface AnalyzeOptions {
  /** The gateway whose Pod and Service are taken as given. */
  readonly assumed: AssumedGateway;
  /** Now, in milliseconds. */
  readonly now: number;
  /** Findings of istioctl's analyzers on objects of other namespaces are hidden, as istioctl does; default: none are. */
  readonly namespace?: string | undefined;
  readonly suppressions?: readonly Suppression[] | undefined;
  /** What translation and `analyzeGateway` found, to be ordered and suppressed with the rest. */
  readonly others?: readonly Diagnostic[] | undefined;
}

/** Everything that was found. */
export interface Analysis {
  /** By severity, code and object; what was said twice stands once. */
  readonly diagnostics: readonly Diagnostic[];
  /** How many findings on objects of other namespaces are not shown. */
  readonly hidden: number;
  /** How many an annotation or a suppression silenced. */
  readonly suppressed: number;
}

/** A diagnostic with what decides its place. */
interface Finding {
  readonly diagnostic: Diagnostic;
  readonly severity: number;
  /** `Kind/name/namespace`, '' for none. */
  readonly resource: string;
  /** What istioctl would print behind the name of the object. */
  readonly text: string;
}

/** Analyzes what was loaded. Pure; user input never throws. */
export function analyzeConfig(load: LoadResult, options: AnalyzeOptions): Analysis {
  const findings = runAnalyzers(load, options);
  const byName = new Map(load.objects.map((object) => [object.resource, object]));
  const others = [
    ...load.diagnostics.filter(({ code, origin }) => !isSaidAgain(code, byName.get(origin?.resource ?? ''))),
    ...(options.others ?? []),
  ];
  for (const diagnostic of withoutRestated(
    others,
    findings.map((found) => found.diagnostic),
  ))
    findings.push(placedFinding(diagnostic));
  const diagnostics: Diagnostic[] = [];
  let hidden = 0;
  let suppressed = 0;
  for (const { diagnostic } of inOrder(findings)) {
    if (isElsewhere(diagnostic, options.namespace)) hidden++;
    else if (isSuppressed(diagnostic, byName, options.suppressions ?? [])) suppressed++;
    else diagnostics.push(diagnostic);
  }
  return { diagnostics, hidden, suppressed };
}

function runAnalyzers(load: LoadResult, options: AnalyzeOptions): Finding[] {
  const findings: Finding[] = [];
  const { mesh } = load.store;
  const context = createContext(load.objects, { ...options, mesh }, (found) => findings.push(found));
  for (const analyzer of ISTIO_ANALYZERS) analyzer.analyze(context);
  return findings;
}

/** What the analyzers of our own need to know. */
export interface GatewayAnalysisOptions extends Pick<AnalyzeOptions, 'assumed' | 'now'> {
  readonly mesh: MeshConfig;
}

/** What our own analyzers say of the emulated gateway, in the order of the analyzers. */
export function analyzeGateway(
  objects: readonly WrittenObject[],
  gateway: GatewayView,
  options: GatewayAnalysisOptions,
): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  const context = createContext(objects, options, ({ diagnostic }) => found.push(diagnostic));
  for (const analyzer of OWN_ANALYZERS) analyzer.analyze({ ...context, gateway });
  return found;
}

function createContext(
  objects: readonly WrittenObject[],
  { assumed, now, mesh }: GatewayAnalysisOptions,
  push: (finding: Finding) => void,
): AnalysisContext {
  const index = indexObjects(objects, assumed);
  return {
    all: index.all,
    find: index.find,
    mesh,
    now,
    report(type, at, parameters = {}, details = {}) {
      const found = at instanceof WrittenObject ? Field.of(at) : at;
      if (found instanceof Field) {
        if (!isAssumed(found.object)) push(fieldFinding(type, found, parameters, details));
      } else {
        const { printed: _, ...shown } = details;
        push(placedFinding(createDiagnostic(type, found, parameters, shown)));
      }
    },
  };
}

function fieldFinding(type: MessageType, field: Field, parameters: Parameters, details: FindingDetails): Finding {
  const { object } = field;
  const { printed, ...shown } = details;
  const diagnostic = createDiagnostic(type, object.origin(field.span), parameters, shown);
  if (!type.code.startsWith('IST')) return placedFinding(diagnostic);
  const { line } = object.origin(printed?.isWritten === true ? printed.span : object.root);
  return finding(diagnostic, `${object.file.name}:${line}) ${diagnostic.message}`);
}

/** istioctl knows no line for what the webhook says, so that it goes by the text; the rest goes by its place. */
function placedFinding(diagnostic: Diagnostic): Finding {
  const { code, origin, message } = diagnostic;
  const place = code.startsWith('IST') || origin === undefined ? '' : String(origin.line).padStart(8);
  return finding(diagnostic, `${place}) ${message}`);
}

const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 };

function finding(diagnostic: Diagnostic, text: string): Finding {
  const [kind = '', namespace = '', name] = (diagnostic.origin?.resource ?? '').split('/');
  const resource = name === undefined ? (kind === '' ? '' : `${kind}/${namespace}/`) : `${kind}/${name}/${namespace}`;
  return { diagnostic, severity: RANK[diagnostic.severity], resource, text };
}

function inOrder(findings: readonly Finding[]): readonly Finding[] {
  const sorted = [...findings].sort(
    (a, b) =>
      a.severity - b.severity ||
      compareText(a.diagnostic.code, b.diagnostic.code) ||
      compareText(a.resource, b.resource) ||
      compareText(a.text, b.text),
  );
  return sorted.filter((one, at) => {
    const before = sorted[at - 1];
    return (
      before === undefined ||
      before.text !== one.text ||
      before.resource !== one.resource ||
      before.diagnostic.code !== one.diagnostic.code
    );
  });
}

function isElsewhere({ code, origin, refusedBy }: Diagnostic, selected: string | undefined): boolean {
  // What a cluster refuses is refused in every namespace; postern's own messages concern one gateway, not one namespace.
  if (refusedBy !== undefined || !code.startsWith('IST')) return false;
  const [, namespace = '', name] = (origin?.resource ?? '').split('/');
  if (name === undefined) return false;
  return isSystemNamespace(namespace) || (selected !== undefined && namespace !== selected);
}

const ANNOTATION = 'galley.istio.io/analyze-suppress';

function isSuppressed(
  { code, origin, refusedBy }: Diagnostic,
  byName: ReadonlyMap<string, WrittenObject>,
  suppressions: readonly Suppression[],
): boolean {
  const resource = origin?.resource;
  if (resource === undefined || refusedBy !== undefined) return false;
  if (suppressions.some((suppression) => suppresses(suppression, code, resource))) return true;
  const object = byName.get(resource);
  if (object === undefined) return false;
  const written = Field.of(object).get('metadata', 'annotations', ANNOTATION).text();
  // istioctl does not trim: a blank before a code makes it another one.
  return written !== '' && written.split(',').some((word) => word === code || word === '*');
}
