// Services, endpoints and DestinationRules as the gateway sees them: YAML in, short text out.
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { isIpAddress } from '../../src/config/model/ip-address.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import type { GatewayProxy, PushContext, PushContextOptions } from '../../src/registry/push-context.js';
import { protocolOfServicePort } from '../../src/registry/service-protocol.js';

function contextOf(
  yaml: string,
  proxy: Partial<GatewayProxy> = {},
  options: PushContextOptions & { readonly mesh?: string } = {},
): PushContext {
  const { store } = loadConfig(
    [{ file: 'a.yaml', text: yaml, named: true }],
    options.mesh === undefined ? {} : { meshConfig: { file: 'mesh.yaml', text: options.mesh, named: true } },
  );
  return buildPushContext(
    store,
    {
      namespace: 'istio-system',
      labels: { istio: 'ingressgateway' },
      ipAddress: '127.0.0.2',
      locality: {},
      metadata: {},
      domain: 'cluster.local',
      ...proxy,
    },
    options,
  );
}

/** `host ports resolution` of each visible service but the gateway's own. */
function checkServices(
  name: string,
  yaml: string,
  want: readonly string[],
  proxy: Partial<GatewayProxy> = {},
  options: PushContextOptions & { readonly mesh?: string } = {},
): void {
  const got = contextOf(yaml, proxy, options)
    .services.filter(({ hostname }) => !hostname.startsWith('istio-ingressgateway.'))
    .map(({ hostname, ports, resolution }) => `${hostname} ${ports.map(({ port }) => port).join(',')} ${resolution}`);
  t.same(got, want, name);
}

/** `address:port` and what is unusual, of each endpoint of the first service of the host. */
function checkEndpoints(name: string, yaml: string, host: string, port: number, want: readonly string[]): void {
  const context = contextOf(yaml);
  const service = context.service(host);
  const servicePort = service?.ports.find((candidate) => candidate.port === port);
  const got =
    service === undefined || servicePort === undefined
      ? ['no such service port']
      : context.endpoints(service, servicePort).map((endpoint) => {
          const notes = [
            endpoint.health === 'HEALTHY' ? '' : endpoint.health,
            endpoint.weight === 1 ? '' : `weight ${endpoint.weight}`,
            endpoint.locality,
            endpoint.tlsMode === 'disabled' ? '' : endpoint.tlsMode,
          ].filter((note) => note !== '');
          return [`${endpoint.address}:${endpoint.port}`, ...notes].join(' ');
        });
  t.same(got, want, name);
}

/** Names of the rules that count, in merge order, then the subsets. */
function checkRule(name: string, yaml: string, want: string, proxy: Partial<GatewayProxy> = {}): void {
  const rule = contextOf(WEB + yaml, proxy).destinationRule('web.shop.svc.cluster.local');
  const from = rule?.from.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(' + ') ?? 'none';
  const subsets = rule?.spec.subsets.map((subset) => subset.name).join(',') ?? '';
  t.equal(subsets === '' ? from : `${from}: ${subsets}`, want, name);
}

const WEB = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
`;

function rule(namespace: string, name: string, spec: string): string {
  return `
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
`;
}

function entry(namespace: string, name: string, spec: string): string {
  return `
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: ${namespace}}
spec: {${spec}}
`;
}

function pod(name: string, labels: string, rest = ''): string {
  return `
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {${labels}}}
${rest}
`;
}

t.test('protocol of a service port', (t) => {
  const table: readonly (readonly [
    name: string | undefined,
    appProtocol: string | undefined,
    want: string,
    port?: number,
  ])[] = [
    ['http', undefined, 'HTTP'],
    ['HTTP-api', undefined, 'HTTP'],
    ['http2-web', undefined, 'HTTP2'],
    ['grpc-x', undefined, 'GRPC'],
    ['grpc-web', undefined, 'GRPC-Web'],
    ['grpc-webx', undefined, 'GRPC-Web'],
    ['https', undefined, 'HTTPS'],
    ['tls-x', undefined, 'TLS'],
    ['h2c', undefined, 'UnsupportedProtocol'],
    ['api-http', undefined, 'UnsupportedProtocol'],
    [undefined, undefined, 'UnsupportedProtocol'],
    [undefined, undefined, 'TCP', 3306],
    ['http', 'kubernetes.io/h2c', 'HTTP2'],
    ['http', 'Kubernetes.io/h2c', 'UnsupportedProtocol'],
    ['http', 'foo', 'UnsupportedProtocol'],
    ['http', '', 'UnsupportedProtocol'],
    ['tcp', 'http2', 'HTTP2'],
  ];
  for (const [name, appProtocol, want, port = 80] of table) {
    const got = protocolOfServicePort({
      port,
      protocol: 'TCP',
      ...(name === undefined ? {} : { name }),
      ...(appProtocol === undefined ? {} : { appProtocol }),
    });
    t.equal(got, want, `name ${name}, appProtocol ${appProtocol}, port ${port}`);
  }
  t.equal(protocolOfServicePort({ port: 53, protocol: 'UDP', name: 'http' }), 'UDP', 'UDP beats the name');
  t.end();
});

t.test('services', (t) => {
  checkServices('a Kubernetes Service', WEB, ['web.shop.svc.cluster.local 80 ClientSideLB']);
  checkServices(
    'headless and ExternalName',
    WEB.replace('selector', 'clusterIP: None\n  selector') +
      '---\napiVersion: v1\nkind: Service\nmetadata: {name: ext, namespace: shop}\nspec: {type: ExternalName, externalName: api.example.com, ports: [{port: 443}]}\n',
    ['ext.shop.svc.cluster.local 443 Alias', 'web.shop.svc.cluster.local 80 Passthrough'],
  );
  const port = 'ports: [{number: 443, name: tls, protocol: TLS}]';
  checkServices(
    'one service for each host of a ServiceEntry; resolution is NONE when not written',
    entry('shop', 'e', `hosts: [b.example.com, a.example.com], ${port}`),
    ['a.example.com 443 Passthrough', 'b.example.com 443 Passthrough'],
  );
  checkServices(
    'exportTo: private to another namespace, nowhere, to this namespace',
    entry('shop', 'a', `hosts: [a.test], ${port}, exportTo: ['.']`) +
      entry('shop', 'b', `hosts: [b.test], ${port}, exportTo: ['~']`) +
      entry('shop', 'c', `hosts: [c.test], ${port}, exportTo: [istio-system]`),
    ['c.test 443 Passthrough'],
  );
  checkServices(
    'what is exported to the namespace by name comes before what is public',
    entry('shop', 'a', `hosts: [a.test], ${port}`) +
      entry('shop', 'b', `hosts: [b.test], ${port}, exportTo: [istio-system]`),
    ['b.test 443 Passthrough', 'a.test 443 Passthrough'],
  );
  checkServices('the mesh default of exportTo', WEB, [], {}, { mesh: 'defaultServiceExportTo: ["."]' });
  checkServices(
    'Kubernetes beats a ServiceEntry with its name',
    `${entry('shop', 'a', `hosts: [web.shop.svc.cluster.local], ${port}, resolution: STATIC`)}\n---${WEB}`,
    ['web.shop.svc.cluster.local 80 ClientSideLB'],
  );
  const other = 'ports: [{number: 80, name: http, protocol: HTTP}]';
  checkServices(
    'equal entries of one host add their ports; of another namespace they do not',
    entry('shop', 'a', `hosts: [a.test], ${port}`) +
      entry('shop', 'b', `hosts: [a.test], ${other}`) +
      entry('zoo', 'c', 'hosts: [a.test], ports: [{number: 81, name: x, protocol: HTTP}]'),
    ['a.test 443,80 Passthrough'],
  );
  const route = (destination: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: shop}
spec: {hosts: ['*'], gateways: [gw], http: [{route: [{destination: {${destination}}}]}]}
`;
  checkServices('unknown destinations are no services', route('host: web'), []);
  checkServices(
    'unless they are assumed: port 80',
    route('host: web'),
    ['web.shop.svc.cluster.local 80 ClientSideLB'],
    {},
    {
      assumeServices: true,
    },
  );
  checkServices(
    'or the port that the route names',
    route('host: api.example.com, port: {number: 8443}'),
    ['api.example.com 8443 ClientSideLB'],
    {},
    { assumeServices: true },
  );
  t.end();
});

t.test('endpoints', (t) => {
  const web = 'web.shop.svc.cluster.local';
  const ready = (ip: string, rest = ''): string => `status: {podIP: ${ip}${rest}}`;
  checkEndpoints(
    'pods by selector, at the target port',
    WEB + pod('a', 'app: web', ready('10.0.0.1')) + pod('b', 'app: other', ready('10.0.0.2')),
    web,
    80,
    ['10.0.0.1:8080'],
  );
  checkEndpoints(
    'not ready, finished, without address, terminating, draining',
    WEB +
      pod('a', 'app: web', ready('10.0.0.1', ', conditions: [{type: Ready, status: "False"}]')) +
      pod('b', 'app: web', ready('10.0.0.2', ', phase: Succeeded')) +
      pod('c', 'app: web') +
      pod('d', 'app: web, istio.io/draining: "true"', ready('10.0.0.4')),
    web,
    80,
    ['10.0.0.1:8080 UNHEALTHY'],
  );
  checkEndpoints(
    'a named target port is the container port of that name; a pod without it has no endpoint',
    WEB.replace('targetPort: 8080', 'targetPort: main') +
      pod(
        'a',
        'app: web',
        `spec: {containers: [{name: c, ports: [{name: main, containerPort: 3000}]}]}\n${ready('10.0.0.1')}`,
      ) +
      pod('b', 'app: web', ready('10.0.0.2')),
    web,
    80,
    ['10.0.0.1:3000'],
  );
  checkEndpoints(
    'tlsMode and locality by label',
    WEB + pod('a', 'app: web, security.istio.io/tlsMode: istio, istio-locality: eu.eu-1', ready('10.0.0.1')),
    web,
    80,
    ['10.0.0.1:8080 eu/eu-1 istio'],
  );
  const manual = WEB.replace('  selector: {app: web}\n', '');
  const slice = (port: string, endpoint: string): string => `
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{${port}}]
endpoints: [{${endpoint}}]
`;
  checkEndpoints('a slice', manual + slice('name: http, port: 9', 'addresses: [10.0.0.1]'), web, 80, ['10.0.0.1:9']);
  checkEndpoints(
    'a slice with another port name',
    manual + slice('name: web, port: 9', 'addresses: [10.0.0.1]'),
    web,
    80,
    [],
  );
  checkEndpoints(
    'not ready and not said to be alive: gone',
    manual + slice('name: http, port: 9', 'addresses: [10.0.0.1], conditions: {ready: false}'),
    web,
    80,
    [],
  );
  checkEndpoints(
    'not ready but alive: unhealthy',
    manual + slice('name: http, port: 9', 'addresses: [10.0.0.1], conditions: {ready: false, terminating: false}'),
    web,
    80,
    ['10.0.0.1:9 UNHEALTHY'],
  );
  checkEndpoints(
    'a reference to a Pod that is not there',
    manual + slice('name: http, port: 9', 'addresses: [10.0.0.1], targetRef: {kind: Pod, name: nobody}'),
    web,
    80,
    [],
  );
  const mirrored =
    '---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: shop}\nsubsets: [{addresses: [{ip: 10.0.0.3}], notReadyAddresses: [{ip: 10.0.0.4}], ports: [{name: http, port: 7}]}]\n';
  checkEndpoints('Endpoints of a Service without selector', manual + mirrored, web, 80, [
    '10.0.0.3:7',
    '10.0.0.4:7 UNHEALTHY',
  ]);
  checkEndpoints('Endpoints of a Service with selector are ignored', WEB + mirrored, web, 80, []);
  const workload =
    '---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm, namespace: shop}\nspec: {address: 10.0.0.9, labels: {app: web}, ports: {http: 3000}, weight: 5, serviceAccount: web, locality: eu/eu-1/r}\n';
  checkEndpoints('a WorkloadEntry by selector', WEB + workload, web, 80, ['10.0.0.9:3000 weight 5 eu/eu-1/r istio']);
  const http = 'ports: [{number: 80, name: http, protocol: HTTP, targetPort: 81}]';
  checkEndpoints(
    'ports of ServiceEntry endpoints: by name, else the target port; 0 is no weight',
    entry(
      'shop',
      'e',
      `hosts: [a.test], ${http}, resolution: STATIC, endpoints: [{address: 10.1.0.1, ports: {http: 82}}, {address: 10.1.0.2, weight: 0}]`,
    ),
    'a.test',
    80,
    ['10.1.0.1:82', '10.1.0.2:81'],
  );
  checkEndpoints(
    'DNS without endpoints: the host itself',
    entry('shop', 'e', `hosts: [a.test], ${http}, resolution: DNS`),
    'a.test',
    80,
    ['a.test:81'],
  );
  checkEndpoints(
    'entries of one host in one namespace pool their endpoints by port name',
    entry('shop', 'e', `hosts: [a.test], ${http}, resolution: STATIC, endpoints: [{address: 10.1.0.1}]`) +
      entry('shop', 'f', `hosts: [a.test], ${http}, resolution: STATIC, endpoints: [{address: 10.1.0.2}]`) +
      entry('zoo', 'g', `hosts: [a.test], ${http}, resolution: STATIC, endpoints: [{address: 10.1.0.3}]`),
    'a.test',
    80,
    ['10.1.0.1:81', '10.1.0.2:81'],
  );
  t.end();
});

t.test('DestinationRules', (t) => {
  const subset = (name: string): string => `subsets: [{name: ${name}}]`;
  checkRule('none', '', 'none');
  checkRule('a short host means the own namespace', rule('shop', 'r', `host: web, ${subset('a')}`), 'shop/r: a');
  checkRule('and nowhere else', rule('istio-system', 'r', `host: web, ${subset('a')}`), 'none');
  const full = 'host: web.shop.svc.cluster.local';
  checkRule('the root namespace', rule('istio-system', 'r', `${full}, ${subset('a')}`), 'istio-system/r: a');
  checkRule('a third namespace never', rule('ops', 'r', `${full}, ${subset('a')}`), 'none');
  checkRule(
    'the namespace of the service before the root',
    rule('istio-system', 'r', `${full}, ${subset('a')}`) + rule('shop', 's', `${full}, ${subset('b')}`),
    'shop/s: b',
  );
  checkRule(
    'a private rule of the root before all',
    rule('istio-system', 'r', `${full}, ${subset('a')}, exportTo: ['.']`) +
      rule('shop', 's', `${full}, ${subset('b')}`),
    'istio-system/r: a',
  );
  checkRule(
    'private to the namespace of the service',
    rule('shop', 's', `${full}, exportTo: ['.'], ${subset('a')}`),
    'none',
  );
  checkRule(
    'a gateway outside the root namespace looks at its own namespace first',
    rule('edge', 'r', `host: '*.local', ${subset('a')}`) + rule('shop', 's', `${full}, ${subset('b')}`),
    'edge/r: a',
    { namespace: 'edge' },
  );
  checkRule(
    'equal exportTo: merged, in order of name; the first definition of a subset stays',
    rule('shop', 'b', `${full}, subsets: [{name: v1}, {name: v2}]`) + rule('shop', 'a', `${full}, ${subset('v1')}`),
    'shop/a + shop/b: v1,v2',
  );
  checkRule(
    'another exportTo: the last one hides the others',
    rule('shop', 'a', `${full}, ${subset('v1')}`) + rule('shop', 'b', `${full}, exportTo: ['*'], ${subset('v2')}`),
    'shop/b: v2',
  );
  checkRule(
    'an exact host alone, without the wildcard',
    rule('shop', 'a', `host: '*.shop.svc.cluster.local', ${subset('v1')}`) +
      rule('shop', 'b', `${full}, ${subset('v2')}`),
    'shop/b: v2',
  );
  checkRule(
    'the longest wildcard',
    rule('shop', 'a', `host: '*.local', ${subset('v1')}`) +
      rule('shop', 'b', `host: '*.svc.cluster.local', ${subset('v2')}`),
    'shop/b: v2',
  );
  const selector = (labels: string): string => `workloadSelector: {matchLabels: {${labels}}}`;
  checkRule(
    'a workloadSelector counts in the namespace of the gateway, for its labels',
    rule('istio-system', 'a', `${full}, ${selector('istio: ingressgateway')}, ${subset('v1')}`) +
      rule('shop', 'b', `${full}, ${subset('v2')}`),
    'istio-system/a: v1',
  );
  // The private rules of the root namespace end the search even when their selector does not fit.
  checkRule(
    'with other labels it still hides',
    rule('istio-system', 'a', `${full}, ${selector('app: other')}, ${subset('v1')}`) +
      rule('shop', 'b', `${full}, ${subset('v2')}`),
    'none',
  );
  t.end();
});

t.test('IP addresses', (t) => {
  for (const text of ['10.0.0.1', '::1', '2001:db8::7', '::ffff:10.0.0.1', '1:2:3:4:5:6:7:8'])
    t.ok(isIpAddress(text), text);
  for (const text of [
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    'a.test',
    ':::1',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '12345::',
  ])
    t.notOk(isIpAddress(text), text);
  t.end();
});
