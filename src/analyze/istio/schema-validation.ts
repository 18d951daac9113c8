// The webhook's rules as istioctl applies them: also to what the API server would refuse before the webhook is asked, and
// without looking at annotations (spec validation.md §10.3, §11 IST0106, IST0133; measured). Of all other objects loading
// has said the same already. Istio: schema/validation.go.
import { askWebhook } from '../../config/validate/webhook.js';
import type { WrittenObject } from '../../config/written-object.js';
import { entryOf, type YamlNode } from '../../config/yaml/tree.js';
import {
  SchemaValidationError,
  SchemaWarning,
  VirtualServiceIneffectiveMatch,
  VirtualServiceUnreachableRule,
} from '../../diagnostics/catalogue.js';
import type { AnalysisContext, AnalyzedKind, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';

const KINDS: readonly AnalyzedKind[] = [
  'Gateway',
  'VirtualService',
  'DestinationRule',
  'ServiceEntry',
  'WorkloadEntry',
  'Sidecar',
  'PeerAuthentication',
  'EnvoyFilter',
];

export const schemaValidation: Analyzer = {
  name: 'schema.ValidationAnalyzer',
  description: 'Runs schema validation as an analyzer',
  inputs: KINDS,
  messages: [SchemaValidationError, SchemaWarning, VirtualServiceUnreachableRule, VirtualServiceIneffectiveMatch],
  analyze(context) {
    for (const kind of KINDS) for (const object of context.all(kind)) if (isJudgedAgain(object)) judge(context, object);
  },
};

const OWN_CODES: ReadonlySet<string> = new Set(schemaValidation.messages.map(({ code }) => code));

/** True for a message of loading that this analyzer says instead. */
export function isSaidAgain(code: string, object: WrittenObject | undefined): boolean {
  return object !== undefined && OWN_CODES.has(code) && isJudgedAgain(object) && judgement(object).length > 0;
}

const isJudgedAgain: (object: WrittenObject) => boolean = perObject(({ diagnostics, root }) => {
  if (diagnostics.some(({ refusedBy }) => refusedBy === 'strict' || refusedBy === 'schema')) return true;
  return entryOf(entryOf(root, 'metadata')?.value ?? root, 'annotations') !== undefined;
});

function judge(context: AnalysisContext, object: WrittenObject): void {
  const { refusedBy } = object.diagnostics.find((diagnostic) => diagnostic.refusedBy === 'webhook') ?? {};
  for (const { type, span, parameters } of judgement(object)) {
    const details = type === SchemaValidationError && refusedBy !== undefined ? { refusedBy } : {};
    context.report(type, new Field(object, undefined, span), parameters, details);
  }
}

type Judgement = readonly {
  readonly type: typeof SchemaValidationError;
  readonly span: Field['span'];
  readonly parameters: Readonly<Record<string, string>>;
}[];

const judgement: (object: WrittenObject) => Judgement = perObject(({ group, kind, root, namespace }) => {
  const answer = askWebhook(group, kind, withoutAnnotations(root), namespace);
  if (answer === undefined || answer.errorsFrom === 'decoding') return [];
  return [
    ...answer.errors.map(({ text, span }) => ({ type: SchemaValidationError, span, parameters: { error: text } })),
    ...answer.warnings.map(({ text, span, unused }) => {
      if (unused === undefined) return { type: SchemaWarning, span, parameters: { warning: text } };
      const { kind: what, ...parameters } = unused;
      const type = what === 'rule' ? VirtualServiceUnreachableRule : VirtualServiceIneffectiveMatch;
      return { type, span, parameters };
    }),
  ];
});

function withoutAnnotations(root: YamlNode): YamlNode {
  if (root.kind !== 'map') return root;
  return {
    ...root,
    entries: root.entries.map((entry) =>
      entry.key === 'metadata' && entry.value.kind === 'map'
        ? {
            ...entry,
            value: { ...entry.value, entries: entry.value.entries.filter(({ key }) => key !== 'annotations') },
          }
        : entry,
    ),
  };
}
