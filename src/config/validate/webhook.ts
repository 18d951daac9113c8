// istiod's validating webhook: an object in, its answer out. It looks kinds up without their version, and is asked in a
// cluster only when nothing before it has refused. Spec validation.md §0, §1.
import { entryOf, entrySpan, type Span, textOf, type YamlNode } from '../yaml/tree.js';
import { validateDestinationRule } from './destination-rule.js';
import { validateEnvoyFilter } from './envoy-filter.js';
import { Findings, joinErrors, type WebhookError, type WebhookWarning } from './findings.js';
import { validateGateway } from './gateway.js';
import { validateMetadata } from './metadata.js';
import type { Validator, WebhookObject } from './object.js';
import { validatePeerAuthentication } from './peer-authentication.js';
import { plainDurationProblem } from './plain-durations.js';
import { validateServiceEntry } from './service-entry.js';
import { validateSidecar } from './sidecar.js';
import { validateVirtualService } from './virtual-service.js';
import { validateWorkloadEntry } from './workload-entry.js';
import { Written } from './written.js';

export type { UnusedRule, WebhookError, WebhookWarning } from './findings.js';

/** What the webhook answers. */
export interface WebhookAnswer {
  /** In Istio's order; none: accepted. */
  readonly errors: readonly WebhookError[];
  /** What `errors` come from; only the rules are what `istioctl analyze` knows as IST0106. */
  readonly errorsFrom: 'rules' | 'annotations' | 'decoding';
  /** A cluster shows them only when the object is stored. */
  readonly warnings: readonly WebhookWarning[];
}

const VALIDATORS: ReadonlyMap<string, Validator> = new Map<string, Validator>([
  ['networking.istio.io/Gateway', validateGateway],
  ['networking.istio.io/VirtualService', validateVirtualService],
  ['networking.istio.io/DestinationRule', validateDestinationRule],
  ['networking.istio.io/ServiceEntry', validateServiceEntry],
  ['networking.istio.io/WorkloadEntry', validateWorkloadEntry],
  ['networking.istio.io/Sidecar', validateSidecar],
  ['networking.istio.io/EnvoyFilter', validateEnvoyFilter],
  ['security.istio.io/PeerAuthentication', validatePeerAuthentication],
]);

/**
 * The answer to an object as it is written, `undefined` for kinds that the webhook is not asked about. Takes any
 * document, also one that the API server would refuse. Never throws.
 *
 *     const answer = askWebhook('networking.istio.io', 'Gateway', root, 'default');
 *     answer?.errors[0]?.text; // 'gateway must have at least one server'
 */
export function askWebhook(
  group: string,
  kind: string,
  root: YamlNode,
  defaultNamespace: string,
): WebhookAnswer | undefined {
  const validate = VALIDATORS.get(`${group}/${kind}`);
  if (validate === undefined) return undefined;
  const found = new Findings();
  const undecodable = kind === 'DestinationRule' ? plainDurationProblem(root) : undefined;
  if (undecodable !== undefined) return { errors: [undecodable], warnings: [], errorsFrom: 'decoding' };
  const object = objectOf(root, defaultNamespace);
  if (!validateMetadata(object, kind, found)) return { errors: found.errors, warnings: [], errorsFrom: 'annotations' };
  validate(object, found);
  return { errors: found.errors, warnings: found.warnings, errorsFrom: 'rules' };
}

/** The webhook's denial as kubectl shows it behind its own words; '' when it accepts. */
export function denialText(answer: WebhookAnswer): string {
  if (answer.errors.length === 0) return '';
  const text = joinErrors(answer.errors);
  return answer.errorsFrom === 'decoding' ? text : `configuration is invalid: ${text}`;
}

function objectOf(root: YamlNode, defaultNamespace: string): WebhookObject {
  const metadata = partOf(root, 'metadata');
  return {
    name: metadata.text('name'),
    namespace: metadata.text('namespace') || defaultNamespace,
    nameSpan: metadata.spanOf('name'),
    metadata,
    spec: partOf(root, 'spec'),
  };
}

function partOf(root: YamlNode, key: 'metadata' | 'spec'): Written {
  const entry = entryOf(root, key);
  return new Written(entry?.value, entry === undefined ? kindSpan(root) : entrySpan(entry));
}

/** Of an object that lacks the part in question: the word that says what it is. */
function kindSpan(root: YamlNode): Span {
  return (textOf(root, 'kind') === undefined ? undefined : entryOf(root, 'kind')?.value) ?? root;
}
