// Pages of PST04xx: services, endpoints, DestinationRules.
import { type CodePages, documents, EDGE, istio, kubernetes, service, virtualService } from './page.js';

const to = (destination: string): string => virtualService(`http:\n- route: [{destination: ${destination}}]`);
const rule = (name: string, spec: string, namespace = 'default'): string =>
  istio('DestinationRule', `{name: ${name}, namespace: ${namespace}}`, spec);
const entry = (spec: string): string => istio('ServiceEntry', '{name: api}', `hosts: [api.example.com]\n${spec}`);
const PORTS = 'ports: [{number: 443, name: tls, protocol: TLS}]';
const pod = (status: string): string =>
  kubernetes(
    'Pod',
    '{name: web-1, namespace: default, labels: {app: web}}',
    `spec: {containers: [{name: web}]}\nstatus: ${status}`,
  );
const NO_STUBS = 'postern run --no-stubs FILE';

export const DESTINATION_PAGES: CodePages = {
  PST0401: {
    example: documents(EDGE, to('{host: nope}'), service('web')),
    shownAs: 'IST0101',
    fix: 'Correct the host, or add the Service or ServiceEntry to the files.',
  },
  PST0402: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web').replace(
        'namespace: default}',
        'namespace: default, annotations: {networking.istio.io/exportTo: "."}}',
      ),
    ),
    fix: 'Export the service to the namespace of the gateway.',
  },
  PST0403: {
    example: documents(EDGE, to('{host: web, port: {number: 81}}'), service('web')),
    shownAs: 'IST0101',
    fix: 'Name a port of the Service, not its targetPort.',
  },
  PST0404: {
    example: documents(EDGE, to('{host: web, subset: v1}'), service('web')),
    shownAs: 'IST0101',
    fix: 'Declare the subset in a DestinationRule that counts on the gateway.',
  },
  PST0405: {
    example: documents(EDGE, to('{host: web}'), service('web')),
    shownBy: NO_STUBS,
    fix: 'Add Pods, an EndpointSlice or endpoints to the files, or map the service with --upstream.',
  },
  PST0406: {
    example: documents(
      EDGE,
      to('{host: web, subset: v9}'),
      service('web'),
      pod('{podIP: 127.0.0.1}'),
      rule('web', 'host: web\nsubsets: [{name: v9, labels: {version: v9}}]'),
    ),
    shownAs: 'IST0173',
    fix: 'Correct the labels of the subset or of the Pods.',
  },
  PST0407: {
    example: documents(
      EDGE,
      to('{host: api.example.com, subset: v9}'),
      entry(`${PORTS}\nresolution: DNS\nendpoints: [{address: a.example.com, labels: {version: v1}}]`),
      rule('api', 'host: api.example.com\nsubsets: [{name: v9, labels: {version: v9}}]', 'istio-system'),
    ),
    fix: 'Give an endpoint the labels of the subset.',
  },
  PST0408: {
    example: documents(EDGE, to('{host: api.example.com}'), entry(PORTS)),
    fix: 'Set resolution to DNS, or to STATIC with endpoints.',
  },
  PST0409: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      rule('web', 'host: web\ntrafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}'),
    ),
    fix: 'Use another load balancer for hosts that a gateway routes to.',
  },
  PST0410: {
    example: documents(service('web'), rule('gone', 'host: gone')),
    shownAs: 'IST0174',
    fix: 'Correct the host, or remove the rule.',
  },
  PST0411: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      rule(
        'web',
        'host: web.default.svc.cluster.local\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}',
        'ops',
      ),
    ),
    fix: 'Put the rule into the namespace of the service, or into the root namespace.',
  },
  PST0412: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      rule('a', 'host: web\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}'),
      rule('b', 'host: web\ntrafficPolicy: {connectionPool: {tcp: {maxConnections: 2}}}'),
    ),
    fix: 'Merge the rules of one host into one.',
  },
  PST0413: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      pod('{podIP: 127.0.0.1}'),
      rule('web', 'host: web\ntrafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}'),
    ),
    fix: 'Raise maxEjectionPercent.',
  },
  PST0414: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      rule('web', 'host: web\ntrafficPolicy: {tls: {mode: SIMPLE, sni: web.example.com}}'),
    ),
    fix: 'List the expected name in subjectAltNames.',
  },
  PST0415: {
    shownBy: 'postern run, with an object that istiod would refuse',
    fix: 'Name clientCertificate and privateKey.',
  },
  PST0416: {
    example: documents(EDGE, to('{host: web}'), service('web'), pod('{}')),
    shownBy: NO_STUBS,
    fix: 'Write status.podIP, or map the service with --upstream.',
  },
  PST0417: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web'),
      pod('{podIP: 127.0.0.1, conditions: [{type: Ready, status: "False"}]}'),
    ),
    shownBy: NO_STUBS,
    fix: 'Make the Pod ready in the files.',
  },
  PST0801: {
    example: documents(
      EDGE,
      to('{host: web}'),
      service('web').replace('  selector:', '  internalTrafficPolicy: Local\n  selector:'),
    ),
    fix: 'Name the node of the gateway: --node-metadata NODE_NAME=NAME.',
  },
};
