// Questions to a small gateway written down as Envoy's resources: what `decide` answers, and where chance decides.
import t from 'tap';
import { decide } from '../../src/decide/decide.js';
import { decideRequest } from '../../src/decide/decide-request.js';
import type { Call, Decision } from '../../src/decide/decision.js';
import type { RequestFacts } from '../../src/decide/request-decision.js';
import { buildSnapshotIndex } from '../../src/decide/snapshot-index.js';
import { OriginTable } from '../../src/diagnostics/origin.js';
import { HeaderMap } from '../../src/filters/header-map.js';
import { decide as decideCall, loadConfig } from '../../src/gateway.js';
import {
  type Cluster,
  CORS_FILTER,
  type DownstreamTransportSocket,
  type Endpoint,
  FAULT_FILTER,
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  type ListenerEntry,
  type NetworkFilter,
  type Route,
  type RouteAction,
  type Secret,
  type Snapshot,
  TCP_PROXY,
  TLS_INSPECTOR,
  TLS_TRANSPORT_SOCKET,
  type VirtualHost,
} from '../../src/xds/index.js';
import { connectionManager } from '../support/connection-manager.js';

const manager = (name: string): HttpConnectionManager =>
  connectionManager({
    rds: { config_source: 'ads', route_config_name: name },
    http_filters: [{ name: FAULT_FILTER }, { name: CORS_FILTER }],
  });

const http = (name: string): NetworkFilter => ({ name: HTTP_CONNECTION_MANAGER, typed_config: manager(name) });

interface ChainOptions {
  readonly names?: readonly string[];
  readonly tls?: DownstreamTransportSocket;
  readonly originId?: number;
}

const chain = (label: string, filter: NetworkFilter, { names, tls, originId }: ChainOptions = {}): FilterChain => ({
  label,
  filters: [filter],
  ...(names === undefined ? {} : { filter_chain_match: { server_names: names } }),
  ...(tls === undefined ? {} : { transport_socket: tls }),
  ...(originId === undefined ? {} : { originId }),
});

const tls = (certificate: string, ca?: string): DownstreamTransportSocket => ({
  name: TLS_TRANSPORT_SOCKET,
  typed_config: {
    require_client_certificate: ca !== undefined,
    common_tls_context: {
      alpn_protocols: ['h2', 'http/1.1'],
      tls_certificate_sds_secret_configs: [{ name: certificate, sds_config: 'ads' }],
      ...(ca === undefined
        ? {}
        : {
            combined_validation_context: {
              default_validation_context: {},
              validation_context_sds_secret_config: { name: ca, sds_config: 'ads' },
            },
          }),
    },
  },
});

const listener = (address: string, port: number, chains: readonly FilterChain[]): ListenerEntry => ({
  name: `${address}_${port}`,
  state: 'active',
  listener: {
    name: `${address}_${port}`,
    address: { socket_address: { address, port_value: port } },
    filter_chains: chains,
    listener_filters: [{ name: TLS_INSPECTOR, typed_config: {} }],
  },
});

const cluster = (name: string): Cluster => ({ name, type: 'EDS', connect_timeout: '10s' });
const endpoint = (address: string, health: Endpoint['health'] = 'HEALTHY'): Endpoint => ({
  address,
  weight: 1,
  locality: {},
  priority: 0,
  health,
});
const to = (action: RouteAction, prefix = '/'): Route => ({
  match: { prefix },
  route: { timeout: '0s', max_grpc_timeout: '0s', ...action },
});
const host = (domain: string, routes: readonly Route[], rest: Partial<VirtualHost> = {}): VirtualHost => ({
  name: `${domain}:80`,
  domains: [domain],
  routes,
  include_request_attempt_count: true,
  ...rest,
});

const certificate: Secret = { kind: 'tls_certificate', certificateChain: '', privateKey: '' };

const half = { numerator: 50 };
const mirror = (name: string, numerator: number) => ({
  cluster: name,
  runtime_fraction: { default_value: { numerator } },
  trace_sampled: false as const,
  disable_shadow_host_suffix_append: true,
});

const snapshot: Snapshot = {
  listeners: [
    listener('127.0.0.3', 8080, [chain('other', http('none'))]),
    listener('0.0.0.0', 8080, [chain('plain', http('http.8080'), { originId: 0 })]),
    listener('0.0.0.0', 8443, [
      chain('simple', http('https'), { names: ['a.test'], tls: tls('cert') }),
      chain('mutual', http('https'), { names: ['m.test'], tls: tls('cert', 'ca') }),
      chain('no-secret', http('https'), { names: ['n.test'], tls: tls('missing') }),
      chain('clear', http('http.8080'), { names: ['c.test'] }),
      chain('pass', { name: TCP_PROXY, typed_config: { cluster: 'web' } }, { names: ['p.test'] }),
      chain(
        'split',
        {
          name: TCP_PROXY,
          typed_config: {
            weighted_clusters: {
              clusters: [
                { name: 'web', weight: 1 },
                { name: 'v2', weight: 3 },
              ],
            },
          },
        },
        { names: ['s.test'] },
      ),
      chain('gone', { name: TCP_PROXY, typed_config: { cluster: 'nowhere' } }, { names: ['g.test'] }),
    ]),
    { name: '0.0.0.0_9000', state: 'error', error: 'refused' },
  ],
  routes: [
    {
      name: 'http.8080',
      validate_clusters: false,
      ignore_port_in_host_matching: true,
      virtual_hosts: [
        host('a.test', [
          to({ cluster: 'nowhere' }, '/nc'),
          to({ cluster: 'empty' }, '/uh'),
          to(
            {
              weighted_clusters: {
                clusters: [
                  { name: 'web', weight: 25 },
                  { name: 'v2', weight: 75 },
                ],
              },
            },
            '/split',
          ),
          to(
            { cluster: 'web', request_mirror_policies: [mirror('v2', 30), mirror('web', 70), mirror('nowhere', 100)] },
            '/mirror',
          ),
          {
            ...to({ cluster: 'nowhere' }, '/fault'),
            typed_per_filter_config: {
              [FAULT_FILTER]: {
                delay: { fixed_delay: '2s', percentage: half },
                abort: { http_status: 418, percentage: half },
              },
            },
          },
          { match: { prefix: '/gone' }, redirect: { path_redirect: '/new', response_code: 'FOUND' } },
          {
            ...to({ cluster: 'web', prefix_rewrite: '/', host_rewrite_literal: 'in.test' }, '/api/'),
            name: 'api',
            request_headers_to_add: [{ header: { key: 'x-try', value: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%' } }],
            request_headers_to_remove: ['x-secret'],
          },
          to({ cluster: 'web' }, '/web'),
          { match: { prefix: '/self' }, direct_response: { status: 302 } },
        ]),
        host('tls.test', [], { require_tls: 'ALL' }),
        host('none.test', [to({ cluster: 'web' }, '/only')]),
      ],
    },
    { name: 'https', validate_clusters: false, virtual_hosts: [host('*', [to({ cluster: 'web' })])] },
    {
      name: 'tls',
      validate_clusters: false,
      virtual_hosts: [host('*', [to({ cluster: 'web' })], { require_tls: 'ALL' })],
    },
    {
      name: 'none',
      validate_clusters: false,
      virtual_hosts: [
        host('*', [{ ...to({ cluster: 'web' }), request_headers_to_add: [{ header: { key: 'x', value: '%FOO%' } }] }]),
      ],
    },
  ],
  clusters: [cluster('web'), cluster('v2'), cluster('empty')],
  endpoints: {
    web: [endpoint('10.0.0.1:80')],
    v2: [endpoint('10.0.0.2:80'), endpoint('10.0.0.3:80')],
    empty: [endpoint('10.0.0.4:80', 'UNHEALTHY')],
  },
  secrets: {
    cert: certificate,
    ca: { kind: 'validation_context', trustedCa: '' },
    missing: { kind: 'refused', reason: '' },
  },
  accessLog: {},
  node: { ipAddress: '10.0.0.9' },
};

const index = buildSnapshotIndex(snapshot);
const options = {
  servicePorts: new Map([[80, 8080]]),
  origins: new OriginTable([{ file: 'gateway.yaml', line: 14, column: 5 }]),
};

/** The one door: a field left out of `want` is not asserted; `undefined` asserts absence. */
function checkCall(name: string, call: Call, want: { readonly [K in keyof Decision]?: Decision[K] | undefined }): void {
  const decision = decide(index, call, options);
  for (const [key, value] of Object.entries(want)) t.same(decision[key as keyof Decision], value, `${name}: ${key}`);
}

const a = { port: 8080, host: 'a.test' };

checkCall('nothing listens', { port: 9000 }, { error: 'no_listener', listener: undefined });
checkCall(
  'Service port',
  { port: 80, host: 'a.test', path: '/web' },
  { listener: '0.0.0.0_8080', filterChain: 'plain', cluster: 'web' },
);
checkCall(
  'forwarded',
  { ...a, path: '/web' },
  {
    virtualHost: 'a.test:80',
    routeConfig: 'http.8080',
    endpoint: '10.0.0.1:80',
    error: undefined,
    details: undefined,
    status: undefined,
  },
);
checkCall(
  'CONNECT where TLS is demanded',
  { port: 8080, host: 'tls.test', method: 'CONNECT', path: 'tls.test:80' },
  { status: 403, details: 'upgrade_failed' },
);
checkCall(
  'rewritten',
  { ...a, path: '/api/x?y', headers: { 'x-secret': '1', 'X-Keep': ['a', 'b'] } },
  {
    route: 'api',
    upstreamRequest: {
      authority: 'in.test',
      path: '/x?y',
      headersSet: {
        'x-forwarded-for': '10.0.0.9',
        'x-forwarded-proto': 'http',
        'x-envoy-external-address': '127.0.0.1',
        'x-request-id': '00000000-0000-4000-8000-000000000000',
        'x-envoy-attempt-count': '1',
        'x-envoy-original-host': 'a.test',
        'x-envoy-original-path': '/api/x?y',
        'x-try': '1',
      },
      headersRemoved: ['x-secret'],
    },
  },
);
checkCall(
  'no virtual host',
  { port: 8080, host: 'b.test' },
  { error: 'no_virtual_host', flags: 'NR', details: 'route_not_found', status: 404, virtualHost: undefined },
);
checkCall(
  'no route',
  { port: 8080, host: 'none.test' },
  { error: 'no_route', virtualHost: 'none.test:80', status: 404 },
);
checkCall(
  'https redirect',
  { port: 8080, host: 'TLS.test:80', path: '/x' },
  { error: 'tls_redirect', status: 301, location: 'https://TLS.test:80/x' },
);
checkCall(
  'redirect of a route',
  { ...a, path: '/gone?q' },
  { error: undefined, status: 302, location: 'http://a.test/new?q', details: 'direct_response' },
);
checkCall('direct response points to itself', { ...a, path: '/self' }, { status: 302, location: 'http://a.test/self' });
checkCall(
  'unknown cluster',
  { ...a, path: '/nc' },
  { error: 'no_cluster', flags: 'NC', status: 503, cluster: undefined },
);
checkCall(
  'no healthy endpoint',
  { ...a, path: '/uh' },
  { error: 'no_endpoint', flags: 'UH', status: 503, cluster: 'empty' },
);
checkCall(
  'gRPC',
  { ...a, path: '/uh', protocol: 'http2', headers: { 'content-type': 'application/grpc' } },
  { status: 200, error: 'no_endpoint' },
);
checkCall(
  'split',
  { ...a, path: '/split', random: 0.24 },
  {
    cluster: 'web',
    weightedClusters: [
      { cluster: 'web', weight: 25 },
      { cluster: 'v2', weight: 75 },
    ],
  },
);
checkCall('split, other side', { ...a, path: '/split', random: 0.25 }, { cluster: 'v2', endpoint: undefined });
checkCall(
  'fault',
  { ...a, path: '/fault', random: 0.49 },
  { flags: 'DI,FI', status: 418, error: undefined, cluster: undefined },
);
checkCall('no fault', { ...a, path: '/fault', random: 0.5 }, { flags: 'NC' });
checkCall(
  'codec',
  { ...a, path: 'x' },
  { error: 'protocol_error', flags: 'DPE', details: 'http1.codec_error', status: 400 },
);
checkCall(
  'path that cannot be',
  { ...a, path: '/%00' },
  { error: 'protocol_error', details: 'path_normalization_failed', status: 400, flags: undefined },
);
checkCall(
  'refused upgrade',
  { ...a, path: '/web', headers: { connection: 'upgrade', upgrade: 'x' } },
  { status: 403, details: 'upgrade_failed' },
);

const secure = (name: string, rest: Partial<Call> = {}): Call => ({ port: 8443, tls: 'tls', host: name, ...rest });
checkCall('unknown name', secure('x.test'), {
  error: 'no_filter_chain',
  flags: 'NR',
  details: 'filter_chain_not_found',
});
checkCall('terminated', secure('a.test'), { filterChain: 'simple', cluster: 'web' });
checkCall('name differs from host', secure('b.test', { sni: 'a.test' }), {
  filterChain: 'simple',
  virtualHost: '*:80',
});
checkCall('no name', secure('a.test', { sni: '' }), { error: 'no_filter_chain' });
checkCall('certificate missing', secure('m.test'), { filterChain: 'mutual', error: 'mtls_error' });
checkCall('certificate there', secure('m.test', { tls: 'mtls' }), { error: undefined, cluster: 'web' });
checkCall('Secret missing', secure('n.test'), { error: 'tls_error' });
checkCall('TLS to a plaintext chain', secure('c.test'), { error: 'protocol_error', status: 400, flags: 'DPE' });
checkCall('plaintext to TLS', { port: 8443, host: 'a.test' }, { error: 'no_filter_chain' });
checkCall('passthrough', secure('p.test', { protocol: 'tcp' }), {
  filterChain: 'pass',
  cluster: 'web',
  endpoint: '10.0.0.1:80',
  routeConfig: undefined,
});
checkCall('passthrough split', secure('s.test', { protocol: 'tcp', random: 0.3 }), { cluster: 'v2' });
checkCall('passthrough to nowhere', secure('g.test', { protocol: 'tcp' }), {
  error: 'no_cluster',
  flags: 'NC',
  cluster: undefined,
});
checkCall('HTTP/2 behind http/1.1', secure('a.test', { protocol: 'http2', alpn: ['http/1.1'] }), {
  error: 'protocol_error',
});

t.test('the trail points into the files', (t) => {
  const { trail } = decide(snapshot, { ...a, path: '/web' }, options);
  t.same(
    trail.map(({ stage }) => stage),
    ['listener', 'filter chain', 'virtual host', 'route', 'cluster', 'endpoint'],
  );
  t.same(trail[1]?.at, { file: 'gateway.yaml', line: 14 });
  t.end();
});

const facts = (path: string, raw: string[] = []): RequestFacts => ({
  protocol: 'HTTP/1.1',
  method: 'GET',
  authority: 'a.test',
  path,
  scheme: undefined,
  headers: new HeaderMap(raw),
  endStream: true,
  connection: {
    listener: '0.0.0.0_8080',
    transportProtocol: 'raw_buffer',
    serverName: '',
    applicationProtocols: [],
    source: { address: '203.0.113.7', port: 1 },
    destination: { address: '127.0.0.1', port: 8080 },
  },
  tls: undefined,
});

t.test('mirrors draw once, and only clusters that exist count', (t) => {
  for (const [draw, want] of [
    [0.29, ['v2', 'web']],
    [0.3, ['web']],
    [0.7, []],
  ] as const) {
    let draws = 0;
    const random = () => {
      draws++;
      return draw;
    };
    const decision = decideRequest(index, manager('http.8080'), facts('/mirror'), { random, uuid: () => '' });
    t.same(decision.kind === 'forward' && decision.mirrors.map((policy) => policy.cluster), want, String(draw));
    t.equal(draws, 1);
  }
  t.end();
});

t.test('delay and abort are drawn independently', (t) => {
  const outcome = (draws: number[]) => {
    const decision = decideRequest(index, manager('http.8080'), facts('/fault'), {
      random: () => draws.shift() ?? 1,
      uuid: () => '',
    });
    return [decision.delay, decision.kind === 'reply' ? decision.reply.details : 'forwarded'];
  };
  t.same(outcome([0, 0]), [2000, 'fault_filter_abort']);
  t.same(outcome([0, 0.9]), [2000, 'cluster_not_found']);
  t.same(outcome([0.9, 0]), [0, 'fault_filter_abort']);
  t.same(outcome([0.9, 0.9]), [0, 'cluster_not_found']);
  t.end();
});

t.test('a refusal where TLS is demanded has a route if x-forwarded-proto says that it came over TLS', (t) => {
  for (const [proto, cluster] of [
    ['https', 'web'],
    ['http', undefined],
  ] as const) {
    const request = { ...facts('/', ['x-forwarded-proto', proto]), authority: undefined };
    const decision = decideRequest(index, manager('tls'), request, { random: () => 0, uuid: () => '' });
    t.equal(decision.kind === 'reply' && decision.reply.details, 'missing_host_header');
    t.equal(decision.cluster, cluster, proto);
  }
  t.end();
});

t.test('a table with an unknown operator answers nothing', (t) => {
  t.equal(index.routes.get('none')?.refused, true);
  const decision = decideRequest(index, manager('none'), facts('/'), { random: () => 0, uuid: () => '' });
  t.equal(decision.kind === 'reply' && decision.reply.details, 'route_not_found');
  const told = buildSnapshotIndex({ ...snapshot, refusedRoutes: { https: 'because' } });
  t.equal(told.routes.get('https')?.refused, true);
  t.end();
});

t.test('the snapshot is data', (t) => {
  t.same(decide(structuredClone(snapshot), { ...a, path: '/web' }).cluster, 'web');
  t.end();
});

t.test('what is hashed is the request as it goes out, header operations included', async (t) => {
  const pods = [1, 2, 3].map(
    (byte) =>
      `{apiVersion: v1, kind: Pod, metadata: {name: p${byte}, namespace: demo, labels: {app: web}}, status: {podIP: 127.0.9.${byte}}}`,
  );
  const yaml = `
{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: edge, namespace: demo}, spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}}
---
{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web, namespace: demo}, spec: {hosts: ["*"], gateways: [edge], http: [
  {match: [{uri: {prefix: /set}}], headers: {request: {set: {x-a: same}}}, route: [{destination: {host: web}}]},
  {route: [{destination: {host: web}}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: demo}, spec: {selector: {app: web}, ports: [{name: http, port: 80}]}}
---
{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: web, namespace: demo}, spec: {host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-a}}}}}
---
${pods.join('\n---\n')}`;
  const { snapshot } = await loadConfig({ config: [{ yaml }] });
  const endpoints = (path: string) =>
    new Set(
      'abcdef'
        .split('')
        .map((value) => decideCall(snapshot, { port: 8080, host: 'a.test', path, headers: { 'x-a': value } }).endpoint),
    );
  t.ok(endpoints('/').size > 1, 'the values differ');
  t.equal(endpoints('/set').size, 1, 'the value that the route sets is one');
});
