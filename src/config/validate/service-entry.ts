// What istiod's webhook says of a ServiceEntry, in Istio's order; numbers are the rows of spec validation.md §6. Istio:
// pkg/config/validation/validation.go ValidateServiceEntry.
import { isHttpProtocol, isOpaqueTcpProtocol, parseProtocol } from '../model/protocol.js';
import { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkFqdn, checkPartialWildcard, checkPortName, checkWildcardDomain } from './names.js';
import type { WebhookObject } from './object.js';
import { SELECTOR_WITHOUT_LABELS, validateExportTo, validateSelectorLabels } from './references.js';
import { checkPort, checkProtocol, checkSubnet, validateLabels } from './values.js';
import { validateEndpoint, validateEndpointPorts, validateHostAddress } from './workload-entry.js';
import type { Written } from './written.js';

export function validateServiceEntry(object: WebhookObject, found: Findings): void {
  const { spec } = object;
  const selector = spec.message('workloadSelector');
  if (selector !== undefined) {
    const part = new Findings();
    if (!validateSelectorLabels(selector, 'labels', part)) {
      found.addErrors(part); // 1: and that is all
      return;
    }
    if (selector.pairs('labels').length === 0) {
      const text = `service entry: ${SELECTOR_WITHOUT_LABELS}, will be applied to all services in namespace`;
      found.warning(text, spec.spanOf('workloadSelector')); // 2
    }
    if (spec.messages('endpoints').length > 0) {
      const text = 'only one of WorkloadSelector or Endpoints is allowed in Service Entry';
      found.error(text, spec.spanOf('endpoints')); // 3
    }
  }
  const resolution = spec.text('resolution') || 'NONE';
  validateHosts(spec, resolution, found);
  validateAddresses(spec, resolution, found);
  const ports = validatePorts(object, resolution, found);
  validateResolution(object, resolution, ports, found);
  validateManyHosts(spec, resolution, found);
  validateExportTo(spec, object.namespace, 'ServiceEntry', found); // 29
}

function validateHosts(spec: Written, resolution: string, found: Findings): void {
  const hosts = spec.texts('hosts');
  if (hosts.length === 0) found.error('service entry must have at least one host', spec.spanOf('hosts')); // 4
  for (const { value, span } of hosts) {
    if (value === '*') {
      found.error(`invalid host ${value}`, span); // 5
      continue;
    }
    found.errorIf(checkWildcardDomain(value), span); // 6
    const partial = resolution === 'DYNAMIC_DNS' ? undefined : checkPartialWildcard(value);
    if (partial !== undefined) found.warning(partial, span);
  }
}

function validateAddresses(spec: Written, resolution: string, found: Findings): void {
  const addresses = spec.texts('addresses');
  for (const { value, span } of addresses) found.errorIf(checkSubnet(value), span); // 7
  const prefix = addresses.find(({ value }) => value.includes('/'));
  if (prefix !== undefined && resolution !== 'NONE' && resolution !== 'STATIC') {
    found.error('CIDR addresses are allowed only for NONE/STATIC resolution types', prefix.span); // 8
  }
}

/** The names of the ports. */
function validatePorts({ spec, metadata }: WebhookObject, resolution: string, found: Findings): ReadonlySet<string> {
  const label = metadata.pairs('labels').find(({ key }) => key === 'networking.istio.io/enable-autoallocate-ip');
  const allocated = resolution !== 'NONE' && label?.value !== 'false';
  const unaddressed = spec.texts('addresses').length === 0 && !allocated;
  const names = new Set<string>();
  const numbers = new Set<number>();
  for (const port of spec.messages('ports')) {
    const name = port.text('name');
    const number = port.number('number');
    if (names.has(name)) {
      found.error(`service entry port name ${goQuote(name)} already defined`, port.spanOf('name')); // 9
    }
    names.add(name);
    if (numbers.has(number)) found.error(`service entry port ${number} already defined`, port.spanOf('number')); // 10
    numbers.add(number);
    const target = port.number('targetPort');
    if (target !== 0) found.errorIf(checkPort(target), port.spanOf('targetPort')); // 11
    const protocol = port.text('protocol');
    if (unaddressed && (protocol === '' || protocol === 'TCP')) {
      found.warning(
        'addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not enabled',
        port.spanOf('protocol'),
      ); // 12
    }
    found.errorIf(checkPortName(name), port.spanOf('name')); // 13
    found.errorIf(checkProtocol(protocol), port.spanOf('protocol'));
    found.errorIf(checkPort(number), port.spanOf('number'));
  }
  return names;
}

function validateResolution(
  object: WebhookObject,
  resolution: string,
  ports: ReadonlySet<string>,
  found: Findings,
): void {
  const { spec } = object;
  const endpoints = spec.messages('endpoints');
  switch (resolution) {
    case 'NONE':
      if (endpoints.length > 0) {
        found.error('no endpoints should be provided for resolution type none', spec.spanOf('endpoints')); // 14
      }
      if (spec.has('workloadSelector')) {
        const text = 'workloadSelector should not be set when resolution mode is NONE';
        found.warning(text, spec.spanOf('workloadSelector')); // 15
      }
      return;
    case 'STATIC':
      for (const endpoint of endpoints) validateEndpoint(endpoint, ports, found); // 16
      return;
    case 'DYNAMIC_DNS':
      validateDynamicDns(object, found);
      return;
    default:
      validateDns(spec, resolution, ports, found);
  }
}

function validateDns(spec: Written, resolution: string, ports: ReadonlySet<string>, found: Findings): void {
  const hosts = spec.texts('hosts');
  const endpoints = spec.messages('endpoints');
  const bad = endpoints.length > 0 ? undefined : hosts.find(({ value }) => checkFqdn(value) !== undefined);
  if (bad !== undefined) {
    const text = `hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode ${resolution}, ${checkFqdn(bad.value)}`;
    found.error(text, bad.span); // 17
  }
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
    const text = 'there must only be 0 or 1 endpoint for resolution mode DNS_ROUND_ROBIN';
    found.error(text, spec.spanOf('endpoints')); // 18
  }
  for (const endpoint of endpoints) {
    validateHostAddress(endpoint, found); // 19
    validateLabels(endpoint, 'labels', found); // 20
    validateEndpointPorts(endpoint, ports, found);
  }
  if (spec.texts('addresses').length === 0 || hosts.length < 2) return;
  const tcp = spec.messages('ports').find((port) => tellsNoHost(port.text('protocol')));
  if (tcp !== undefined) {
    found.warning(
      'service entry can not have more than one host specified simultaneously with address and tcp port',
      tcp.spanOf('protocol'),
    ); // 21
  }
}

/** What Istio's IsTCP calls TCP: with TLS or without. */
function tellsNoHost(word: string): boolean {
  const protocol = parseProtocol(word);
  return protocol === 'HTTPS' || protocol === 'TLS' || (isOpaqueTcpProtocol(protocol) && protocol !== 'UDP');
}

const DYNAMIC_PROTOCOLS: ReadonlySet<string> = new Set(['HTTP', 'TLS', 'GRPC', 'HTTP2']);

function validateDynamicDns({ spec, metadata }: WebhookObject, found: Findings): void {
  const hosts = spec.texts('hosts');
  if (hosts.length === 0) {
    const text = 'at least one wildcard host must be provided for resolution type DYNAMIC_DNS';
    found.error(text, spec.spanOf('hosts')); // 22
  }
  for (const { value, span } of hosts) {
    if (!value.startsWith('*')) found.error('host must be wildcarded for resolution mode DYNAMIC_DNS', span); // 23
  }
  if (spec.texts('addresses').length > 0) {
    found.error(
      'addresses cannot be set for resolution type DYNAMIC_DNS. HTTP route domains will only be generatedfrom the hosts field values',
      spec.spanOf('addresses'),
    ); // 24
  }
  if (spec.messages('endpoints').length > 0) {
    found.error(
      'endpoints cannot be set for resolution type DYNAMIC_DNS. Destination IP address determined from hostsfield values',
      spec.spanOf('endpoints'),
    ); // 25
  }
  for (const port of spec.messages('ports')) {
    if (DYNAMIC_PROTOCOLS.has(parseProtocol(port.text('protocol')))) continue;
    const text = 'only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS';
    found.error(text, port.spanOf('protocol')); // 26
  }
  const waypoint = metadata.message('labels')?.text('istio.io/use-waypoint') ?? '';
  if (spec.text('location') === 'MESH_INTERNAL' && waypoint !== '' && waypoint !== 'none') {
    found.error(
      'location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints',
      spec.spanOf('location'),
    ); // 27
  }
}

function validateManyHosts(spec: Written, resolution: string, found: Findings): void {
  if (resolution === 'NONE' || spec.texts('hosts').length < 2) return;
  const port = spec.messages('ports').find((candidate) => {
    const protocol = parseProtocol(candidate.text('protocol'));
    return !isHttpProtocol(protocol) && protocol !== 'HTTPS' && protocol !== 'TLS';
  });
  if (port !== undefined) {
    found.error('multiple hosts provided with non-HTTP, non-TLS ports', port.spanOf('protocol')); // 28
  }
}
