// Fields of the main kinds of which istiod takes no notice on a gateway, written where they would count if it did.
import { GATEWAY, object, type Probe, SERVICES } from './probe.js';

type Inert = Pick<Probe, 'kind' | 'paths' | 'yaml'>;

const DESTINATION = 'route: [{destination: {host: web, port: {number: 80}}}]';
const L4_MATCH = 'destinationSubnets: [10.9.0.0/16], sourceLabels: {app: client}, sourceNamespace: clients';

function server(text: string): string {
  return object('Gateway', 'gw', `selector: {istio: ingressgateway}\nservers: [${text}]`);
}

/** Fields below a match of a `tls` or `tcp` route. */
function layer4(section: string, fields: readonly string[], yaml: string): Inert {
  return { kind: 'VirtualService', paths: fields.map((field) => `spec.${section}[].match[].${field}`), yaml };
}

const L4_FIELDS = ['destinationSubnets', 'sourceLabels', 'sourceNamespace'];
const ZONES = 'loadBalancer: {zoneAwareLbSetting: {enabled: true, minClusterSize: 3}}';
const IGNORED_ERRORS = 'outlierDetection: {consecutiveErrors: 3}';

export const WITHOUT_EFFECT: readonly Inert[] = [
  {
    kind: 'Gateway',
    paths: ['spec.servers[].defaultEndpoint', 'spec.servers[].tls.tlsCertificates[].caCertificates'],
    yaml: server(
      '{port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["*"], defaultEndpoint: "127.0.0.1:9", tls: {mode: MUTUAL, caCertificates: /ca, tlsCertificates: [{serverCertificate: /c, privateKey: /k, caCertificates: /another}]}}',
    ),
  },
  {
    kind: 'VirtualService',
    paths: ['spec.http[].match[].statPrefix'],
    yaml: `${SERVICES}${GATEWAY}${object('VirtualService', 'web', `hosts: ["*"]\ngateways: [gw]\nhttp: [{match: [{uri: {prefix: /x}, statPrefix: shop}], ${DESTINATION}}]`)}`,
  },
  layer4(
    'tls',
    L4_FIELDS,
    `${SERVICES}${server('{port: {number: 9443, name: tls, protocol: TLS}, hosts: ["*.example.com"], tls: {mode: PASSTHROUGH}}')}${object('VirtualService', 'web', `hosts: ["*.example.com"]\ngateways: [gw]\ntls: [{match: [{sniHosts: [a.example.com], ${L4_MATCH}}], ${DESTINATION}}]`)}`,
  ),
  layer4(
    'tcp',
    [...L4_FIELDS, 'sourceSubnet'],
    `${SERVICES}${server('{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}')}${object('VirtualService', 'web', `hosts: ["*"]\ngateways: [gw]\ntcp: [{match: [{sourceSubnet: 10.8.0.0/16, ${L4_MATCH}}], ${DESTINATION}}]`)}`,
  ),
  {
    kind: 'DestinationRule',
    paths: ['spec.trafficPolicy', 'spec.subsets[].trafficPolicy'].flatMap((path) => [
      `${path}.outlierDetection.consecutiveErrors`,
      `${path}.portLevelSettings[].outlierDetection.consecutiveErrors`,
    ]),
    yaml: `${SERVICES}${object('DestinationRule', 'rule', `host: web\ntrafficPolicy: &policy {${IGNORED_ERRORS}, portLevelSettings: [{port: {number: 81}, ${IGNORED_ERRORS}}]}\nsubsets: [{name: v2, trafficPolicy: *policy}]`)}`,
  },
  {
    kind: 'DestinationRule',
    paths: ['spec.trafficPolicy', 'spec.subsets[].trafficPolicy'].flatMap((path) => [
      `${path}.loadBalancer.zoneAwareLbSetting.minClusterSize`,
      `${path}.portLevelSettings[].loadBalancer.zoneAwareLbSetting.minClusterSize`,
    ]),
    yaml: `${SERVICES}${object('DestinationRule', 'rule', `host: web\ntrafficPolicy: &policy {${ZONES}, portLevelSettings: [{port: {number: 81}, ${ZONES}}]}\nsubsets: [{name: v2, trafficPolicy: *policy}]`)}`,
  },
  {
    kind: 'ServiceEntry',
    paths: ['spec.addresses'],
    yaml: object(
      'ServiceEntry',
      'ext',
      'hosts: [ext.example]\naddresses: [10.9.0.1]\nresolution: STATIC\nports: [{number: 80, name: http, protocol: HTTP}]\nendpoints: [{address: 10.1.0.1}]',
    ),
  },
];
