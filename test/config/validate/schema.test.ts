// What the API server says before istiod is asked: spec validation.md §7, §8.1. Layers, limits, names, and Kubernetes' own
// kinds.
import t from 'tap';
import { loadConfig } from '../../../src/config/load.js';

/** `refusedBy: message` of every error, sorted. */
function refusals(text: string): readonly string[] {
  return loadConfig([{ file: 'f.yaml', text, named: true }])
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ refusedBy, message }) => `${refusedBy}: ${message}`)
    .sort();
}

const istio = (kind: string, rest: string, metadata = '{name: x}'): string =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: ${metadata}\n${rest}\n`;
const core = (kind: string, rest: string, metadata = '{name: x}'): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: ${metadata}\n${rest}\n`;

const NOT_CHECKED =
  'schema: <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const long = (length: number): string => 'a'.repeat(length);
const entries = (count: number): string =>
  `{${Array.from({ length: count }, (_, index) => `k${index}: v`).join(', ')}}`;

const rows: readonly (readonly [name: string, text: string, ...wanted: string[]])[] = [
  [
    'a layer hides those behind it: strict decoding',
    istio('VirtualService', 'spec: {hosts: 5, http: [{timeout: 0s, foo: 1}]}'),
    'strict: strict decoding error: unknown field "spec.http[0].foo"',
  ],
  [
    'a type error hides the rules, and says so',
    istio('VirtualService', 'spec: {hosts: 5, http: [{timeout: 0s}]}'),
    NOT_CHECKED,
    'schema: spec.hosts: Invalid value: "integer": spec.hosts in body must be of type array: "integer"',
  ],
  [
    'a number out of range does not hide them',
    istio('VirtualService', 'spec: {hosts: [a.test], http: [{timeout: 0s, directResponse: {status: -1}}]}'),
    'schema: spec.http[0].directResponse.status: Invalid value: -1: spec.http[0].directResponse.status in body should be greater than or equal to 0',
    'schema: spec.http[0].timeout: Invalid value: "0s": must be a valid duration greater than 1ms',
  ],
  [
    'the schema hides istiod',
    istio('VirtualService', 'spec: {hosts: ["*"], http: [{timeout: 0s}]}'),
    'schema: spec.http[0].timeout: Invalid value: "0s": must be a valid duration greater than 1ms',
  ],
  [
    'a fraction is no integer, twice',
    istio('Gateway', 'spec: {servers: [{port: {number: 80.5, name: a, protocol: HTTP}, hosts: [a.test]}]}'),
    'schema: <nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.servers[0].port.number',
    NOT_CHECKED,
    'schema: spec.servers[0].port.number: Invalid value: "number": spec.servers[0].port.number in body must be of type integer: "number"',
  ],
  [
    '80.0 is one',
    istio('Gateway', 'spec: {servers: [{port: {number: 80.0, name: a, protocol: HTTP}, hosts: [a.test]}]}'),
  ],
  ['no spec: a ServiceEntry needs one', istio('ServiceEntry', ''), NOT_CHECKED, 'schema: spec: Required value'],
  [
    'no spec: of a DestinationRule istiod misses the host',
    istio('DestinationRule', ''),
    'webhook: Schema validation error: empty domain name not allowed',
  ],
  [
    'no spec: of a VirtualService istiod misses the rules',
    istio('VirtualService', ''),
    'webhook: Schema validation error: http, tcp or tls must be provided in virtual service',
  ],
  [
    'lengths',
    istio(
      'ServiceEntry',
      `spec: {hosts: [a.test], addresses: ["${long(65)}"], ports: [{number: 80, name: ${long(257)}}], endpoints: [{address: ${long(257)}, locality: ${long(2049)}, serviceAccount: ${long(254)}}]}`,
    ),
    NOT_CHECKED,
    'schema: spec.addresses[0]: Too long: may not be more than 64 bytes',
    'schema: spec.endpoints[0].address: Too long: may not be more than 256 bytes',
    'schema: spec.endpoints[0].locality: Too long: may not be more than 2048 bytes',
    'schema: spec.endpoints[0].serviceAccount: Too long: may not be more than 253 bytes',
    'schema: spec.ports[0].name: Too long: may not be more than 256 bytes',
  ],
  [
    'numbers of entries',
    istio('WorkloadEntry', `spec: {address: 10.0.0.1, labels: ${entries(257)}}`),
    NOT_CHECKED,
    'schema: spec.labels: Too many: 257: must have at most 256 items',
  ],
  [
    'bytes are base64',
    istio('VirtualService', 'spec: {hosts: [a.test], http: [{directResponse: {status: 200, body: {bytes: "a b"}}}]}'),
    NOT_CHECKED,
    'schema: spec.http[0].directResponse.body.bytes: Invalid value: "a b": spec.http[0].directResponse.body.bytes in body must be of type byte: "a b"',
  ],
  [
    'names of objects',
    istio('VirtualService', 'spec: {hosts: [a.test], http: [{redirect: {uri: /}}]}', '{name: My_VS}'),
    `schema: metadata.name: Invalid value: "My_VS": ${SUBDOMAIN}`,
  ],
  ['dots in them', istio('VirtualService', 'spec: {hosts: [a.test], http: [{redirect: {uri: /}}]}', '{name: a.b}')],
  [
    'names of namespaces',
    istio('VirtualService', 'spec: {hosts: [a.test], http: [{redirect: {uri: /}}]}', '{name: a, namespace: a.b}'),
    `schema: metadata.namespace: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
  ],
  ['a Service without ports', core('Service', 'spec: {}'), 'schema: spec.ports: Required value'],
  ['a headless one', core('Service', 'spec: {clusterIP: None}')],
  ['an ExternalName', core('Service', 'spec: {type: ExternalName, externalName: a.test.}')],
  [
    'an ExternalName without one',
    core('Service', 'spec: {type: ExternalName}'),
    'schema: spec.externalName: Required value',
  ],
  [
    'ports of a Service',
    core(
      'Service',
      'spec: {ports: [{port: 0, name: a, protocol: HTTP}, {port: 80, name: a}, {port: 80, targetPort: no_such}, {port: 81, name: b, targetPort: 70000}]}',
    ),
    'schema: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    'schema: spec.ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    'schema: spec.ports[1].name: Duplicate value: "a"',
    'schema: spec.ports[2]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
    'schema: spec.ports[2].name: Required value',
    'schema: spec.ports[2].targetPort: Invalid value: "no_such": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    'schema: spec.ports[3].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ],
  [
    "a Secret's keys",
    core('Secret', 'type: kubernetes.io/tls\ndata: {tls.crt: ""}'),
    'schema: data[tls.key]: Required value',
  ],
  ['as text', core('Secret', 'type: kubernetes.io/tls\ndata: {tls.crt: aGk=}\nstringData: {tls.key: ""}')],
  [
    'an annotation that istiod refuses hides what its rules would say',
    istio('VirtualService', 'spec: {hosts: [a.test]}', '{name: x, annotations: {istio.io/dry-run: "true"}}'),
    'webhook: default/x has unsupported annotation istio.io/dry-run, please remove the annotation',
  ],
];
for (const [name, text, ...wanted] of rows) {
  t.test(name, async (t) => t.same(refusals(text), [...wanted].sort()));
}

t.test('of an object that is not stored the webhook warns only when it was asked', async (t) => {
  const codes = (spec: string): readonly string[] =>
    loadConfig([{ file: 'f', text: istio('VirtualService', `spec: ${spec}`), named: true }]).diagnostics.map(
      ({ code }) => code,
    );
  const rule = 'route: [{destination: {host: a}}], mirror: {host: b}, mirrorPercent: 5';
  t.same(codes(`{hosts: [a.test], http: [{${rule}}]}`), ['IST0133']);
  t.same(codes(`{hosts: [a_b], http: [{${rule}}]}`), ['IST0106', 'IST0133']);
  t.same(codes(`{hosts: [a.test], http: [{${rule}, timeout: 0s}]}`), ['PST0122']);
});
