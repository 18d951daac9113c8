// `tls` and `tcp` rules of a VirtualService. Spec validation.md §4.4, §4.5.
import { isIpAddress } from '../model/ip-address.js';
import { validateDestinations } from './destination.js';
import { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkGatewayBoundDomain, checkWildcardDomain } from './names.js';
import type { HostCover } from './pairs.js';
import { validateGatewayNames } from './references.js';
import { checkPort, checkSubnet, validateLabels } from './values.js';
import type { Written, WrittenText } from './written.js';

/** What a TLS rule needs to know of the VirtualService around it. */
export interface SniContext {
  readonly hosts: HostCover;
  /** The hosts in a row, as the error lists them. */
  readonly hostsText: string;
  /** `mesh` is among its gateways. */
  readonly namesMesh: boolean;
}

export function validateTlsRoute(rule: Written, context: SniContext, found: Findings): void {
  const matches = rule.messages('match');
  if (matches.length === 0) found.error('TLS route must have at least one match condition', rule.spanOf('match'));
  for (const match of matches) {
    const names = match.texts('sniHosts');
    if (names.length === 0) found.error('TLS match must have at least one SNI host', match.spanOf('sniHosts'));
    for (const name of names) validateSniHost(name, context, found);
    validateLayer4Match(match, found);
    validateGatewayNames(match.texts('gateways'), found);
  }
  if (rule.messages('route').length === 0) found.error('TLS route is required', rule.span);
  validateDestinations(rule, found);
}

export function validateTcpRoute(rule: Written, found: Findings): void {
  for (const match of rule.messages('match')) {
    validateLayer4Match(match, found);
    const gateways = new Findings();
    validateGatewayNames(match.texts('gateways'), gateways);
    found.addErrors(gateways);
  }
  if (rule.messages('route').length === 0) found.error('TCP route is required', rule.span);
  validateDestinations(rule, found);
}

function validateLayer4Match(match: Written, found: Findings): void {
  for (const { value, span } of match.texts('destinationSubnets')) found.errorIf(checkSubnet(value), span);
  const port = match.number('port');
  if (port !== 0) found.errorIf(checkPort(port), match.spanOf('port'));
  validateLabels(match, 'sourceLabels', found);
}

function validateSniHost({ value, span }: WrittenText, context: SniContext, found: Findings): void {
  const problem = context.namesMesh ? checkWildcardDomain(value) : checkGatewayBoundDomain(true, value);
  if (problem !== undefined) {
    if (isIpAddress(value)) {
      found.warning(
        `using an IP address (${goQuote(value)}) goes against SNI spec and most clients do not support this`,
        span,
      );
    } else found.error(problem, span);
    return;
  }
  if (found.full || context.hosts.covers(value)) return;
  found.error(
    `SNI host ${goQuote(value)} is not a compatible subset of any of the virtual service hosts: [${context.hostsText}]`,
    span,
  );
}
