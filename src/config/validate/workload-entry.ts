// Endpoints: WorkloadEntry objects, and `endpoints` of a ServiceEntry. Spec validation.md §6.1, §6.2; Istio:
// pkg/config/validation/validation.go validateWorkloadEntry.
import { isIpAddress } from '../model/ip-address.js';
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkFqdn, checkPortName } from './names.js';
import type { WebhookObject } from './object.js';
import { checkPort, checkUnixAddress, validateLabels } from './values.js';
import type { Written } from './written.js';

export function validateWorkloadEntry({ spec }: WebhookObject, found: Findings): void {
  validateEndpoint(spec, undefined, found);
}

/**
 * `servicePorts`: the names of a ServiceEntry's ports, whose STATIC endpoints have IP addresses only; `undefined` for a
 * WorkloadEntry of its own.
 */
export function validateEndpoint(entry: Written, servicePorts: ReadonlySet<string> | undefined, found: Findings): void {
  const address = entry.text('address');
  const span = entry.spanOf('address');
  const unix = address.startsWith('unix://');
  if (address === '') {
    const network = entry.text('network');
    if (network === '') {
      found.error('address is required', span);
      return;
    }
    found.warning(`address is unset with network ${goQuote(network)}`, entry.spanOf('network'));
  } else if (unix) {
    found.errorIf(checkUnixAddress(address), span);
    if (entry.pairs('ports').length > 0) {
      found.error(`unix endpoint ${address} must not include ports`, entry.spanOf('ports'));
    }
  } else if (!isIpAddress(address)) {
    if (servicePorts !== undefined) {
      found.error(`endpoint address ${goQuote(address)} is not a valid IP address`, span);
    } else validateHostAddress(entry, found);
  }
  validateEndpointPorts(entry, servicePorts, found);
  validateLabels(entry, 'labels', found);
  if (unix && servicePorts !== undefined && servicePorts.size !== 1) {
    found.error('exactly 1 service port required for unix endpoints', span);
  }
}

/** An address that DNS may resolve. */
export function validateHostAddress(entry: Written, found: Findings): void {
  const address = entry.text('address');
  if (isIpAddress(address) || checkFqdn(address) === undefined) return;
  found.error(`endpoint address ${goQuote(address)} is not a valid FQDN or an IP address`, entry.spanOf('address'));
}

export function validateEndpointPorts(
  entry: Written,
  servicePorts: ReadonlySet<string> | undefined,
  found: Findings,
): void {
  for (const { key, value, keySpan, span } of entry.pairs('ports')) {
    if (servicePorts !== undefined && !servicePorts.has(key)) {
      found.error(`endpoint port ${value} is not defined by the service entry`, keySpan);
    }
    found.errorIf(checkPortName(key), keySpan);
    found.errorIf(checkPort(Number(value)), span);
  }
}
