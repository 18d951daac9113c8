// networking.istio.io ServiceEntry and WorkloadEntry, field by field. Spec destinations.md §1.7, §1.8; validation.md §7.1.
import { emulated, message, noEffect } from '../decode/message.js';
import type { Place } from '../decode/place.js';
import { reportDuplicates, reportEntryRule, reportRule, writtenNode } from '../decode/rule.js';
import {
  converted,
  enumeration,
  list,
  mapOf,
  type OptionalType,
  present,
  string,
  textUpTo,
  uint32,
  unlessEmpty,
} from '../decode/value-type.js';
import type { ServiceEntrySpec, ServicePortSpec, WorkloadEntrySpec } from '../model/service-entry.js';
import type { YamlMap } from '../yaml/tree.js';
import { isPort, istioKind, type KindDefinition } from './common.js';

const PORT_RULE = 'port must be between 1-65535';
const PORT_NAME = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;

const portNumber: OptionalType<number> = converted(present(uint32), (value, node, place) => {
  if (!isPort(value)) reportRule(place, node, PORT_RULE);
  return value;
});

const servicePort: OptionalType<ServicePortSpec> = message<ServicePortSpec>('ServicePort', {
  number: emulated(portNumber, 'required'),
  protocol: emulated(textUpTo(256)),
  name: emulated(textUpTo(256), 'required'),
  targetPort: emulated(portNumber),
});

const address: OptionalType<string> = converted(present(textUpTo(256)), (value, node, place) => {
  if (value.startsWith('unix://')) {
    if (!/^unix:\/\/[/@]/.test(value)) reportRule(place, node, 'UDS must be an absolute path or abstract socket');
    if (value.endsWith('/')) reportRule(place, node, 'UDS may not be a dir');
  }
  return value;
});

const workloadEntrySpec: OptionalType<WorkloadEntrySpec> = message<WorkloadEntrySpec>(
  'WorkloadEntry',
  {
    address: emulated({ ...address, zeroIsAbsent: true }),
    ports: emulated(mapOf(uint32, { atMost: 128 })),
    labels: emulated(mapOf(string, { atMost: 256 })),
    network: emulated(textUpTo(2048)),
    locality: emulated(textUpTo(2048)),
    weight: emulated(uint32),
    serviceAccount: emulated(textUpTo(253)),
  },
  {
    check(entry, node, place) {
      const written = (key: string): boolean => writtenNode(node, key) !== undefined;
      if (!written('address') && !written('network')) reportRule(place, node, 'Address is required');
      const ports = writtenNode(node, 'ports');
      if (ports?.kind !== 'map') return;
      if (entry.address?.startsWith('unix://') === true) {
        reportRule(place, node, 'UDS may not include ports');
      }
      // A rule about keys is one of the map, and told once.
      if (ports.entries.some(({ key }) => key.length >= 63 || !PORT_NAME.test(key))) {
        reportRule(place.child('ports'), ports, 'port name must be valid');
      }
      for (const { key, value } of ports.entries) {
        const number = value.kind === 'scalar' ? value.value : undefined;
        if (typeof number === 'number' && !isPort(number)) reportEntryRule(place.child('ports'), key, value, PORT_RULE);
      }
    },
  },
);

const workloadSelector: OptionalType<NonNullable<ServiceEntrySpec['workloadSelector']>> = message<
  NonNullable<ServiceEntrySpec['workloadSelector']>
>(
  'WorkloadSelector',
  { labels: emulated(mapOf(textUpTo(63), { atMost: 256 })) },
  {
    check(_, node, place) {
      const written = writtenNode(node, 'labels');
      for (const { key, value } of written?.kind === 'map' ? written.entries : []) {
        if (value.kind === 'scalar' && String(value.value).includes('*')) {
          reportEntryRule(place.child('labels'), key, value, 'wildcard is not supported in selector');
        }
      }
    },
  },
);

const host: OptionalType<string> = converted(string, (value, node, place) => {
  if (value === '*') reportRule(place, node, 'hostname cannot be wildcard');
  return value;
});

const serviceEntrySpec: OptionalType<ServiceEntrySpec> = message<ServiceEntrySpec>(
  'ServiceEntry',
  {
    hosts: emulated(list(host, { atLeast: 1, atMost: 256 }), 'required'),
    addresses: noEffect(
      list(textUpTo(64), { atMost: 256 }),
      "addresses at which sidecars recognise the service; a gateway's clusters do not depend on them",
    ),
    ports: emulated(list(servicePort, { atMost: 256 })),
    location: emulated(enumeration('MESH_EXTERNAL', 'MESH_INTERNAL'), { otherwise: 'MESH_EXTERNAL' }),
    resolution: emulated(enumeration('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'), { otherwise: 'NONE' }),
    endpoints: emulated(list(workloadEntrySpec, { atMost: 4096 })),
    workloadSelector: emulated(workloadSelector),
    exportTo: emulated(unlessEmpty(list(string))),
    subjectAltNames: emulated(list(string)),
  },
  { check: checkServiceEntry },
);

function checkServiceEntry(entry: ServiceEntrySpec, node: YamlMap, place: Place): void {
  const { resolution } = entry;
  // Presence decides, not content: `endpoints: []` counts.
  const endpoints = writtenNode(node, 'endpoints');
  if (endpoints !== undefined && writtenNode(node, 'workloadSelector') !== undefined) {
    reportRule(place, node, 'only one of WorkloadSelector or Endpoints can be set');
  }
  if (resolution !== 'NONE' && resolution !== 'STATIC' && entry.addresses.some((one) => one.includes('/'))) {
    reportRule(place, node, 'CIDR addresses are allowed only for NONE/STATIC resolution types');
  }
  if (endpoints !== undefined && resolution === 'NONE') reportRule(place, node, 'NONE mode cannot set endpoints');
  if (resolution === 'DNS_ROUND_ROBIN' && entry.endpoints.length > 1) {
    reportRule(place, node, 'DNS_ROUND_ROBIN mode cannot have multiple endpoints');
  }
  const ports = writtenNode(node, 'ports');
  reportDuplicates(ports, 'name', place.child('ports'));
  const numbers = entry.ports.map((port) => port.number);
  if (ports !== undefined && new Set(numbers).size < numbers.length) {
    reportRule(place.child('ports'), ports, 'port number cannot be duplicated');
  }
}

export const serviceEntry: KindDefinition<'ServiceEntry'> = istioKind(
  'ServiceEntry',
  'networking.istio.io',
  ['v1', 'v1beta1', 'v1alpha3'],
  serviceEntrySpec,
  'required',
);

export const workloadEntry: KindDefinition<'WorkloadEntry'> = istioKind(
  'WorkloadEntry',
  'networking.istio.io',
  ['v1', 'v1beta1', 'v1alpha3'],
  workloadEntrySpec,
  'required',
);
