// What istiod's webhook says of a DestinationRule, in Istio's order. Spec validation.md §5; Istio:
// pkg/config/validation/validation.go ValidateDestinationRule.

import { parseDuration } from '../duration.js';
import { isIpAddress } from '../model/ip-address.js';
import { validateClientTls } from './client-tls.js';
import { Findings } from './findings.js';
import { validateLoadBalancer } from './load-balancer.js';
import { checkFqdn, checkSubsetName, checkWildcardDomain } from './names.js';
import type { WebhookObject } from './object.js';
import { validateExportTo, validateWorkloadSelector } from './references.js';
import { checkIp, checkPercent, checkPort, validateDuration, validateLabels } from './values.js';
import type { Written } from './written.js';

export function validateDestinationRule({ spec, namespace }: WebhookObject, found: Findings): void {
  found.errorIf(checkWildcardDomain(spec.text('host')), spec.spanOf('host'));
  validateTrafficPolicy(spec.message('trafficPolicy'), namespace, found);
  const names = new Set<string>();
  for (const subset of spec.messages('subsets')) {
    const name = subset.text('name');
    if (names.has(name)) found.error(`duplicate subset names: ${name}`, subset.spanOf('name'));
    names.add(name);
    validateSubset(subset, namespace, found);
  }
  const selector = spec.message('workloadSelector');
  validateExportTo(spec, namespace, selector === undefined ? 'other' : 'DestinationRule with selector', found);
  validateWorkloadSelector(selector, found);
}

function validateSubset(subset: Written, namespace: string, found: Findings): void {
  found.errorIf(checkSubsetName(subset.text('name')), subset.spanOf('name'));
  validateLabels(subset, 'labels', found);
  const policy = new Findings();
  validateTrafficPolicy(subset.message('trafficPolicy'), namespace, policy);
  found.addErrors(policy);
}

const PORT_FIELDS = ['outlierDetection', 'connectionPool', 'loadBalancer', 'tls'] as const;
const POLICY_FIELDS = [...PORT_FIELDS, 'portLevelSettings', 'tunnel', 'proxyProtocol', 'retryBudget'] as const;

function validateTrafficPolicy(policy: Written | undefined, namespace: string, found: Findings): void {
  if (policy === undefined) return;
  if (!POLICY_FIELDS.some((key) => isSet(policy, key))) {
    found.error('traffic policy must have at least one field', policy.span);
    return;
  }
  if (policy.has('tunnel') && policy.has('proxyProtocol')) {
    found.error('tunnel and proxyProtocol must not be set together', policy.spanOf('proxyProtocol'));
    return;
  }
  validateSettings(policy, namespace, found);
  for (const settings of policy.messages('portLevelSettings')) validatePortSettings(settings, namespace, found);
  validateTunnel(policy.message('tunnel'), found);
  const protocol = policy.message('proxyProtocol');
  const version = protocol?.text('version') ?? '';
  if (protocol !== undefined && !['', 'V1', 'V2', '0', '1'].includes(version)) {
    found.error(`proxy protocol version is invalid: ${version}`, protocol.spanOf('version'));
  }
}

/** An empty list is an absent one. */
function isSet(policy: Written, key: string): boolean {
  return key === 'portLevelSettings' ? policy.messages(key).length > 0 : policy.has(key);
}

function validateSettings(policy: Written, namespace: string, found: Findings): void {
  const outlier = policy.message('outlierDetection');
  if (outlier !== undefined) validateOutlierDetection(outlier, found);
  validateConnectionPool(policy.message('connectionPool'), found);
  validateLoadBalancer(policy.message('loadBalancer'), outlier !== undefined, found);
  validateClientTls(policy.message('tls'), namespace, found);
}

function validatePortSettings(settings: Written, namespace: string, found: Findings): void {
  if (!settings.has('port')) found.error('portTrafficPolicy must have valid port', settings.span);
  if (!PORT_FIELDS.some((key) => settings.has(key))) {
    found.error('port traffic policy must have at least one field', settings.span);
    return;
  }
  const part = new Findings();
  validateSettings(settings, namespace, part);
  found.addErrors(part);
}

function validateOutlierDetection(outlier: Written, found: Findings): void {
  validateDuration(outlier, 'baseEjectionTime', found);
  if (outlier.number('consecutiveErrors') !== 0) {
    found.warning(
      'outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or consecutive5xxErrors instead',
      outlier.spanOf('consecutiveErrors'),
    );
  }
  if (!outlier.flag('splitExternalLocalOriginErrors') && outlier.number('consecutiveLocalOriginFailures') > 0) {
    found.error(
      'outlier detection consecutive local origin failures is specified, but split external local origin errors is set to false',
      outlier.spanOf('consecutiveLocalOriginFailures'),
    );
  }
  validateDuration(outlier, 'interval', found);
  for (const key of ['maxEjectionPercent', 'minHealthPercent']) {
    found.errorIf(checkPercent(outlier.number(key)), outlier.spanOf(key));
  }
}

/** Also of a Sidecar's listeners. */
export function validateConnectionPool(pool: Written | undefined, found: Findings): void {
  if (pool === undefined) return;
  const http = pool.message('http');
  const tcp = pool.message('tcp');
  if (http === undefined && tcp === undefined) found.error('connection pool must have at least one field', pool.span);
  if (http !== undefined) validateHttpPool(http, found);
  if (tcp !== undefined) validateTcpPool(tcp, found);
}

function validateHttpPool(http: Written, found: Findings): void {
  notNegative(http, 'http1MaxPendingRequests', 'http1 max pending requests', found);
  notNegative(http, 'http2MaxRequests', 'http2 max requests', found);
  notNegative(http, 'maxRequestsPerConnection', 'max requests per connection', found);
  notNegative(http, 'maxRetries', 'max retries', found);
  validateDuration(http, 'idleTimeout', found);
  if (http.text('h2UpgradePolicy') === 'UPGRADE' && http.flag('useClientProtocol')) {
    found.error(
      'use client protocol must not be true when H2UpgradePolicy is UPGRADE',
      http.spanOf('useClientProtocol'),
    );
  }
  notNegative(http, 'maxConcurrentStreams', 'max concurrent streams', found);
  const keepAlive = http.message('http2KeepAlive');
  for (const key of ['interval', 'timeout']) {
    if (keepAlive === undefined) break;
    if (keepAlive.has(key)) validateDuration(keepAlive, key, found);
    else found.error(`http2 keepalive ${key} is required`, keepAlive.span);
  }
}

function validateTcpPool(tcp: Written, found: Findings): void {
  notNegative(tcp, 'maxConnections', 'max connections', found);
  validateDuration(tcp, 'connectTimeout', found);
  validateDuration(tcp, 'maxConnectionDuration', found);
  // No whole millisecond switches the timeout off.
  const idle = parseDuration(tcp.text('idleTimeout'));
  if (idle !== undefined && Math.trunc(idle) !== 0) validateDuration(tcp, 'idleTimeout', found);
  const keepalive = tcp.message('tcpKeepalive');
  if (keepalive === undefined) return;
  validateDuration(keepalive, 'time', found);
  validateDuration(keepalive, 'interval', found);
}

function notNegative(message: Written, key: string, words: string, found: Findings): void {
  if (message.number(key) < 0) found.error(`${words} must be non-negative`, message.spanOf(key));
}

function validateTunnel(tunnel: Written | undefined, found: Findings): void {
  if (tunnel === undefined) return;
  if (!['', 'CONNECT', 'POST'].includes(tunnel.text('protocol'))) {
    found.error('tunnel protocol must be "CONNECT" or "POST"', tunnel.spanOf('protocol'));
  }
  const host = tunnel.text('targetHost');
  const name = checkFqdn(host);
  if (name !== undefined && !isIpAddress(host)) {
    found.error(
      `tunnel target host must be valid FQDN or IP address: ${name}; ${checkIp(host)}`,
      tunnel.spanOf('targetHost'),
    );
  }
  const port = checkPort(tunnel.number('targetPort'));
  if (port !== undefined) found.error(`tunnel target port is invalid: ${port}`, tunnel.spanOf('targetPort'));
}
