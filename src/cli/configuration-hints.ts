// What the files say about a host that got no answer: the Gateways and VirtualServices that name it, and what the analyzers
// find wrong with them.
import { parseNamespacedHost, subsetOf } from '../config/model/host-name.js';
import { type Resource, resourceName } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import type { Decision, ErrorClass, TrailStep } from '../decide/decision.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';

const UNANSWERED: ReadonlySet<ErrorClass> = new Set<ErrorClass>([
  'no_listener',
  'no_filter_chain',
  'no_virtual_host',
  'no_route',
  'no_cluster',
  'no_endpoint',
  'tls_error',
]);

/** More would not be read. */
const MOST = 12;

/** True when the files may say why. */
export function isUnanswered({ error }: Decision): boolean {
  return error !== undefined && UNANSWERED.has(error);
}

/** Steps for the end of a trail; `host` without port, lower case. */
export function configurationHints(store: Store, findings: readonly Diagnostic[], host: string): readonly TrailStep[] {
  const steps: TrailStep[] = [];
  const about = new Set<string>();
  for (const service of store.all('VirtualService')) {
    if (!service.spec.hosts.some((pattern) => subsetOf(host, pattern.toLowerCase()))) continue;
    about.add(resourceName(service));
    const named = service.spec.gateways ?? [];
    const gateways = named.length === 0 ? 'none (mesh only)' : named.join(', ');
    steps.push(step(service, `${resourceName(service)} names ${host}; its gateways: ${gateways}`));
  }
  for (const gateway of store.all('Gateway')) {
    for (const server of gateway.spec.servers) {
      const binds = server.hosts.some((written) => subsetOf(host, parseNamespacedHost(written).host.toLowerCase()));
      if (!binds) continue;
      about.add(resourceName(gateway));
      const { number, protocol } = server.port;
      const tls = /^(?:HTTPS|TLS)$/i.test(protocol) ? ` ${server.tls?.mode ?? ''}` : '';
      steps.push(step(gateway, `${resourceName(gateway)} binds ${host} on port ${number} (${protocol}${tls})`));
    }
  }
  if (steps.length === 0)
    steps.push({ stage: 'files', verdict: 'nothing', reason: `no Gateway and no VirtualService names ${host}` });
  for (const { code, severity, message, origin } of findings) {
    if (origin?.resource === undefined || !about.has(origin.resource)) continue;
    const at = { file: origin.file, line: origin.line };
    steps.push({ stage: 'files', verdict: severity, reason: `${code}: ${message}`, at });
  }
  return steps.slice(0, MOST);
}

function step(resource: Resource, reason: string): TrailStep {
  const { file, line } = resource.origin;
  return { stage: 'files', verdict: 'found', reason, at: { file, line } };
}
