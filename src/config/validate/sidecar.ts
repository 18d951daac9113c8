// What istiod's webhook says of a Sidecar, in Istio's order. A Sidecar does nothing to a gateway, but one that is refused
// fails `kubectl apply` all the same. Istio: pkg/config/validation/validation.go ValidateSidecar.
import { isHttpProtocol, parseProtocol } from '../model/protocol.js';
import { validateDestination } from './destination.js';
import { validateConnectionPool } from './destination-rule.js';
import { Findings } from './findings.js';
import { goQuote, isGoInteger } from './go-text.js';
import { validateHostEntry } from './host-entry.js';
import { checkFqdn, checkPortName } from './names.js';
import type { WebhookObject } from './object.js';
import { SELECTOR_WITHOUT_LABELS, validateSelectorLabels } from './references.js';
import { validateServerTls } from './server-tls.js';
import { checkIp, checkPort, checkProtocol, checkUnixAddress } from './values.js';
import type { Written } from './written.js';

export function validateSidecar({ spec, namespace }: WebhookObject, found: Findings): void {
  const selector = spec.message('workloadSelector');
  if (selector !== undefined) {
    const part = new Findings();
    if (!validateSelectorLabels(selector, 'labels', part)) {
      found.addErrors(part);
      return;
    }
    if (selector.pairs('labels').length === 0) {
      const text = `sidecar: ${SELECTOR_WITHOUT_LABELS}, will be applied to all services in namespace`;
      found.warning(text, spec.spanOf('workloadSelector'));
    }
  }
  const ingress = spec.messages('ingress');
  const egress = spec.messages('egress');
  const settings = spec.has('outboundTrafficPolicy') || spec.has('inboundConnectionPool');
  if (ingress.length === 0 && egress.length === 0 && !settings) {
    found.error('sidecar: empty configuration provided', spec.span);
    return;
  }
  validateIngress(ingress, found);
  validateConnectionPool(spec.message('inboundConnectionPool'), found);
  validateEgress(egress, namespace, found);
  validateOutboundPolicy(spec.message('outboundTrafficPolicy'), found);
}

const UNIX = 'unix://';

function validateIngress(listeners: readonly Written[], found: Findings): void {
  const numbers = new Set<number>();
  for (const listener of listeners) {
    const port = listener.message('port');
    if (port === undefined) {
      found.error('sidecar: port is required for ingress listeners', listener.span);
      continue;
    }
    warnOfTargetPort(port, found);
    validatePort(port, found);
    const bind = listener.text('bind');
    if (bind !== '') found.errorIf(checkIp(bind), listener.spanOf('bind'));
    uniquePort(port, numbers, found);
    if (listener.text('defaultEndpoint') !== '') validateDefaultEndpoint(listener, found);
    const tls = listener.message('tls');
    if (tls !== undefined) validateIngressTls(tls, found);
    const pool = listener.message('connectionPool');
    validateConnectionPool(pool, found);
    const protocol = port.text('protocol');
    if (pool?.has('http') === true && !isHttpProtocol(parseProtocol(protocol))) {
      found.warning(
        `sidecar: HTTP connection pool settings are configured for port ${port.number('number')} (${goQuote(port.text('name'))}) but its protocol is not HTTP (${protocol}); only TCP settings will apply`,
        pool.spanOf('http'),
      );
    }
  }
}

function warnOfTargetPort(port: Written, found: Findings): void {
  if (port.number('targetPort') > 0) found.error('targetPort has no impact on Sidecars', port.spanOf('targetPort'));
}

function validatePort(port: Written, found: Findings): void {
  if (port.text('name') !== '') found.errorIf(checkPortName(port.text('name')), port.spanOf('name'));
  found.errorIf(checkProtocol(port.text('protocol')), port.spanOf('protocol'));
  found.errorIf(checkPort(port.number('number')), port.spanOf('number'));
}

function uniquePort(port: Written, numbers: Set<number>, found: Findings): void {
  const number = port.number('number');
  if (numbers.has(number)) found.error('sidecar: ports on IP bound listeners must be unique', port.spanOf('number'));
  numbers.add(number);
}

const LOCAL: ReadonlySet<string> = new Set(['', '127.0.0.1', '0.0.0.0', '::1', '::']);

function validateDefaultEndpoint(listener: Written, found: Findings): void {
  const endpoint = listener.text('defaultEndpoint');
  const span = listener.spanOf('defaultEndpoint');
  if (endpoint.startsWith(UNIX)) {
    found.errorIf(checkUnixAddress(endpoint), span);
    return;
  }
  const { host, port, problem } = splitHostPort(endpoint);
  if (problem !== undefined) found.error(`address ${endpoint}: ${problem}`, span);
  if (!LOCAL.has(host)) {
    found.error(
      'sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,unix://filepath or unset',
      span,
    );
  }
  if (isGoInteger(port)) found.errorIf(checkPort(Number(port)), span);
  else {
    const reason = `strconv.Atoi: parsing ${goQuote(port)}: invalid syntax`;
    found.error(`sidecar: defaultEndpoint port (${port}) is not a number: ${reason}`, span);
  }
}

/** Go's net.SplitHostPort: nothing but a problem, or host and port. */
function splitHostPort(address: string): { host: string; port: string; problem?: string } {
  const fail = (problem: string): { host: string; port: string; problem: string } => ({ host: '', port: '', problem });
  const colon = address.lastIndexOf(':');
  if (colon === -1) return fail('missing port in address');
  if (address.startsWith('[')) {
    const end = address.indexOf(']');
    if (end === -1) return fail("missing ']' in address");
    if (end + 1 === address.length) return fail('missing port in address');
    if (end + 1 !== colon)
      return fail(address[end + 1] === ':' ? 'too many colons in address' : 'missing port in address');
    return { host: address.slice(1, end), port: address.slice(colon + 1) };
  }
  const host = address.slice(0, colon);
  if (host.includes(':')) return fail('too many colons in address');
  if (address.includes('[')) return fail("unexpected '[' in address");
  if (address.includes(']')) return fail("unexpected ']' in address");
  return { host, port: address.slice(colon + 1) };
}

function validateIngressTls(tls: Written, found: Findings): void {
  if (tls.texts('subjectAltNames').length > 0) {
    found.error('sidecar: subjectAltNames is not supported in ingress tls', tls.spanOf('subjectAltNames'));
  }
  if (tls.flag('httpsRedirect')) found.error('sidecar: httpsRedirect is not supported', tls.spanOf('httpsRedirect'));
  if (tls.text('credentialName') !== '') {
    found.error('sidecar: credentialName is not currently supported', tls.spanOf('credentialName'));
  }
  const mode = tls.text('mode');
  if (mode === 'ISTIO_MUTUAL' || mode === 'AUTO_PASSTHROUGH') {
    found.error(`configuration is invalid: cannot set mode to ${mode} in sidecar ingress tls`, tls.spanOf('mode'));
  }
  validateServerTls(tls, found);
}

function validateEgress(listeners: readonly Written[], namespace: string, found: Findings): void {
  const numbers = new Set<number>();
  const sockets = new Set<string>();
  let catchAll = false;
  for (const [index, listener] of listeners.entries()) {
    const port = listener.message('port');
    if (port !== undefined) validateEgressPort(listener, port, numbers, sockets, found);
    else if (catchAll) {
      found.error('sidecar: egress can have only one listener with empty port', listener.span);
      continue;
    } else if (index === listeners.length - 1) catchAll = true;
    else {
      found.error(
        'sidecar: the egress listener with empty port should be the last listener in the list',
        listener.span,
      );
    }
    validateEgressHosts(listener, namespace, found);
  }
}

function validateEgressPort(
  listener: Written,
  port: Written,
  numbers: Set<number>,
  sockets: Set<string>,
  found: Findings,
): void {
  warnOfTargetPort(port, found);
  const bind = listener.text('bind');
  const span = listener.spanOf('bind');
  if (port.number('number') !== 0) {
    validatePort(port, found);
    if (bind !== '') found.errorIf(checkIp(bind), span);
    uniquePort(port, numbers, found);
    return;
  }
  if (port.text('name') !== '') found.errorIf(checkPortName(port.text('name')), port.spanOf('name'));
  found.errorIf(checkProtocol(port.text('protocol')), port.spanOf('protocol'));
  if (bind.startsWith(UNIX)) found.errorIf(checkUnixAddress(bind), span);
  else found.error('sidecar: ports with 0 value must have a unix domain socket bind address', span);
  if (!['', 'DEFAULT', 'NONE'].includes(listener.text('captureMode'))) {
    found.error(
      'sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners',
      listener.spanOf('captureMode'),
    );
  }
  if (sockets.has(bind)) found.error('sidecar: unix domain socket values for listeners must be unique', span);
  sockets.add(bind);
}

function validateEgressHosts(listener: Written, namespace: string, found: Findings): void {
  const hosts = listener.texts('hosts');
  if (hosts.length === 0) {
    found.error('sidecar: egress listener must contain at least one host', listener.spanOf('hosts'));
    return;
  }
  const seen = new Map<string, Set<string>>();
  for (const host of hosts) {
    const slash = host.value.indexOf('/');
    if (slash !== -1) {
      const written = host.value.slice(0, slash);
      const name = host.value.slice(slash + 1);
      const key = written === '.' ? namespace : written;
      const names = seen.get(key) ?? new Set<string>();
      seen.set(key, names);
      const repeated = name === '*' ? names.size > 0 : names.has(name) || names.has('*');
      if (repeated) found.warning(`duplicated egress host: ${host.value}`, host.span);
      names.add(name);
    }
    validateHostEntry(host, 'sidecar', found);
  }
  if (seen.get('*')?.has('*') === true && seen.size !== 1) {
    found.warning('`*/*` host select all resources, no other hosts can be added', listener.spanOf('hosts'));
  }
}

function validateOutboundPolicy(policy: Written | undefined, found: Findings): void {
  const proxy = policy?.message('egressProxy');
  if (policy === undefined || proxy === undefined) return;
  if (policy.text('mode') !== 'ALLOW_ANY') {
    found.error(
      'sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode',
      policy.spanOf('mode'),
    );
    return;
  }
  found.errorIf(checkFqdn(proxy.text('host')), proxy.spanOf('host'));
  if (proxy.has('port')) validateDestination(proxy, found);
  else found.error('sidecar: egress_proxy port must be non-nil', proxy.span);
}
