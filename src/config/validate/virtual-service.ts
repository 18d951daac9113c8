// What istiod's webhook says of a VirtualService, in Istio's order. Spec validation.md §4.1; Istio:
// pkg/config/validation/validation.go ValidateVirtualService.
import { isIpAddress } from '../model/ip-address.js';
import { jwtClaim } from '../model/jwt-claim.js';
import type { Findings } from './findings.js';
import { goList } from './go-text.js';
import { validateHttpRoute } from './http-route.js';
import { validateTcpRoute, validateTlsRoute } from './layer4-route.js';
import { checkGatewayBoundDomain, checkWildcardDomain } from './names.js';
import type { WebhookObject } from './object.js';
import { HostCover, overlappingHosts } from './pairs.js';
import { validateExportTo, validateGatewayNames } from './references.js';
import { warnOfUnusedRules } from './unused-rules.js';
import type { Written, WrittenText } from './written.js';

export function validateVirtualService(object: WebhookObject, found: Findings): void {
  const { spec } = object;
  const hosts = spec.texts('hosts');
  const gateways = spec.texts('gateways');
  const delegated = hosts.length === 0;
  if (delegated) validateDelegate(spec, gateways, found);
  validateGatewayNames(gateways, found);
  const namesMesh = gateways.some(({ value }) => value === 'mesh');
  const meshBound = gateways.length === 0 || namesMesh;
  if (meshBound) {
    const names = gateways.map(({ value }) => value);
    for (const rule of spec.messages('http')) validateClaims(rule, names, found);
  }
  validateHosts(hosts, meshBound, spec, found);
  const http = spec.messages('http');
  const tls = spec.messages('tls');
  const tcp = spec.messages('tcp');
  if (http.length === 0 && tls.length === 0 && tcp.length === 0) {
    found.error('http, tcp or tls must be provided in virtual service', spec.span);
  }
  for (const rule of http) validateHttpRoute(rule, delegated, found);
  const names = hosts.map(({ value }) => value);
  const context = { hosts: new HostCover(names), hostsText: names.join(', '), namesMesh };
  for (const rule of tls) validateTlsRoute(rule, context, found);
  for (const rule of tcp) validateTcpRoute(rule, found);
  validateExportTo(spec, object.namespace, 'other', found);
  warnOfUnusedRules(spec, found);
}

function validateDelegate(spec: Written, gateways: readonly WrittenText[], found: Findings): void {
  const none = (key: string, what: string): void =>
    found.error(`delegate virtual service must have no ${what} specified`, spec.spanOf(key));
  if (gateways.length > 0) none('gateways', 'gateways');
  if (spec.messages('tls').length > 0) none('tls', 'tls route');
  if (spec.messages('tcp').length > 0) none('tcp', 'tcp route');
}

function validateClaims(rule: Written, gateways: readonly string[], found: Findings): void {
  for (const match of rule.messages('match')) {
    for (const field of ['headers', 'withoutHeaders']) {
      for (const [name] of match.namedMessages(field)) {
        if (jwtClaim(name.value) === undefined) continue;
        found.error(
          `JWT claim based routing (key: ${name.value}) is only supported for gateway, found no gateways: ${goList(gateways)}`,
          name.span,
        );
      }
    }
  }
}

function validateHosts(hosts: readonly WrittenText[], meshBound: boolean, spec: Written, found: Findings): void {
  const sni = spec.messages('tls').some((rule) => rule.messages('match').some(hasSniHosts));
  const before = found.errors.length;
  for (const { value, span } of hosts) {
    const problem = meshBound ? checkWildcardDomain(value) : checkGatewayBoundDomain(sni, value);
    if (problem !== undefined) {
      if (!isIpAddress(value)) found.error(problem, span);
    } else if (meshBound && value === '*') {
      found.error('wildcard host * is not allowed for virtual services bound to the mesh gateway', span);
    }
  }
  if (found.errors.length > before) return;
  const names = hosts.map(({ value }) => value);
  for (const [first, second] of overlappingHosts(names, MAX_PAIRS)) {
    found.error(
      `duplicate hosts in virtual service: ${names[first]} & ${names[second]}`,
      hosts[second]?.span ?? spec.span,
    );
  }
}

/** As many as anybody would read. */
const MAX_PAIRS = 1000;

function hasSniHosts(match: Written): boolean {
  return match.texts('sniHosts').length > 0;
}
