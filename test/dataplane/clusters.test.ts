// Clusters at run time: hosts from endpoints and DNS, carry-over, breakers, ejection, TLS origination, PROXY header
// (spec destinations.md §6.3, §7, §9, §10).
import net from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import type { Environment } from '../../src/dataplane/environment.js';
import type {
  ClusterManager,
  ConnectFailure,
  UpstreamConnectOptions,
} from '../../src/dataplane/upstream/cluster-manager.js';
import { createClusterManager } from '../../src/dataplane/upstream/clusters.js';
import { renderProxyHeader } from '../../src/dataplane/upstream/proxy-header.js';
import type { Cluster, Endpoint, Secret } from '../../src/xds/index.js';
import {
  HTTP_PROTOCOL_OPTIONS,
  TLS_TRANSPORT_SOCKET,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
} from '../../src/xds/index.js';
import {
  cluster,
  endpoint,
  loopbackEnvironment,
  ManualTime,
  pem,
  snapshot,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

function clusters(
  configs: readonly Cluster[],
  endpoints: Readonly<Record<string, readonly Endpoint[]>> = {},
  environment: Environment = loopbackEnvironment(),
  secrets: Readonly<Record<string, Secret>> = {},
  previous?: ClusterManager,
): ClusterManager {
  const manager = createClusterManager(
    snapshot({ listeners: [], clusterConfigs: configs, clusters: endpoints, secrets }),
    environment,
    previous,
  );
  manager.activate?.();
  return manager;
}

function dial(
  manager: ClusterManager,
  name: string,
  options: UpstreamConnectOptions = {},
): Promise<net.Socket | ConnectFailure> {
  return new Promise((resolve, reject) => {
    const found = manager.get(name);
    const host = found?.chooseHost({});
    if (found === undefined || host === undefined) reject(new Error('no host'));
    else found.connect(host, options, { connected: resolve, failed: resolve });
  });
}

t.test('a reload keeps the clusters whose configuration did not change', async (t) => {
  const limits = { max_connections: 1, max_pending_requests: 9, max_requests: 9, max_retries: 9 };
  const outlier: Partial<Cluster> = {
    circuit_breakers: { thresholds: [limits] },
    outlier_detection: { consecutive_5xx: 1, max_ejection_percent: 100 },
    common_lb_config: { healthy_panic_threshold: {} },
  };
  const hosts = [endpoint(1), endpoint(2), endpoint(3)];
  const names = ['same', 'more', 'changed'];
  const environment = { ...loopbackEnvironment(new ManualTime()), random: () => 0 };
  const first = clusters(
    names.map((name) => cluster(name, outlier)),
    Object.fromEntries(names.map((name) => [name, hosts])),
    environment,
  );
  for (const name of names) {
    const [host] = first.get(name)?.hosts ?? [];
    if (host === undefined) throw new Error('no host');
    host.activeRequests = 3;
    first.get(name)?.report(host, { status: 503 });
    first.get(name)?.circuit.tryAcquire('connection');
    await settle();
    t.equal(first.get(name)?.chooseHost({})?.address, '127.0.0.1:2', `${name}: the first host is ejected`);
  }
  const removed: string[] = [];
  first.get('more')?.onHostsRemoved?.((gone) => void removed.push(...gone.map(({ address }) => address)));
  const next = clusters(
    [
      cluster('same', { ...outlier, originId: 7 }),
      cluster('more', outlier),
      cluster('changed', { lb_policy: 'RANDOM' }),
    ],
    { same: hosts, more: [endpoint(1), { ...endpoint(2), weight: 2 }, endpoint(4)], changed: hosts },
    environment,
    {},
    first,
  );
  first.close();
  t.equal(next.get('same'), first.get('same'), 'the cluster itself');
  t.equal(next.get('same')?.chooseHost({})?.address, '127.0.0.1:3', 'round robin goes on');
  t.equal(next.get('more'), first.get('more'), 'other endpoints are an update of the cluster');
  t.same(
    next.get('more')?.hosts.map(({ address, ejected, activeRequests, endpoint: { weight } }) => ({
      address,
      ejected,
      activeRequests,
      weight,
    })),
    [
      { address: '127.0.0.1:1', ejected: true, activeRequests: 3, weight: 1 },
      { address: '127.0.0.1:2', ejected: false, activeRequests: 0, weight: 2 },
      { address: '127.0.0.1:4', ejected: false, activeRequests: 0, weight: 1 },
    ],
    'hosts that are still there keep counts and ejection, and take a new weight',
  );
  t.same(removed, ['127.0.0.1:3'], 'pools of the others drain');
  t.equal(next.get('more')?.circuit.tryAcquire('connection'), false, 'the breaker is still full');
  t.same(
    next.get('changed')?.hosts.map(({ ejected, activeRequests }) => ({ ejected, activeRequests })),
    [1, 2, 3].map(() => ({ ejected: false, activeRequests: 0 })),
    'a touched cluster starts anew',
  );
  t.equal(next.get('changed')?.circuit.tryAcquire('connection'), true);
  t.equal(next.get('gone'), undefined);
  next.close();
});

t.test(
  'DNS: every record is a host, refreshed, kept on failure, gone when there is none; logical DNS is one',
  async (t) => {
    const time = new ManualTime();
    let answer: string[] | undefined = ['127.0.0.1', '127.0.0.2'];
    const environment: Environment = {
      ...loopbackEnvironment(time),
      lookup: async () => {
        if (answer === undefined) throw new Error('ESERVFAIL');
        if (answer.length === 0) throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
        return answer.map((address) => ({ address, ttl: 5 }));
      },
    };
    const named = (type: 'STRICT_DNS' | 'LOGICAL_DNS'): Cluster =>
      cluster(type, {
        type,
        dns_refresh_rate: '60s',
        respect_dns_ttl: true,
        load_assignment: {
          cluster_name: type,
          endpoints: [
            {
              locality: {},
              lb_endpoints: [
                {
                  endpoint: { address: { socket_address: { address: 'up.example.com', port_value: 80 } } },
                  load_balancing_weight: 1,
                },
              ],
            },
          ],
        },
      });
    const manager = clusters([named('STRICT_DNS'), named('LOGICAL_DNS')], {}, environment);
    const addresses = (name: string): string[] => (manager.get(name)?.hosts ?? []).map(({ address }) => address);
    await manager.ready?.();
    t.same(addresses('STRICT_DNS'), ['127.0.0.1:80', '127.0.0.2:80']);
    t.same(addresses('LOGICAL_DNS'), ['127.0.0.1:80']);
    const kept = manager.get('STRICT_DNS')?.hosts[1];
    answer = ['127.0.0.2', '127.0.0.3'];
    time.advance(5_000);
    await settle();
    t.same(addresses('STRICT_DNS'), ['127.0.0.2:80', '127.0.0.3:80']);
    t.equal(manager.get('STRICT_DNS')?.hosts[0], kept, 'the same host');
    t.same(addresses('LOGICAL_DNS'), ['127.0.0.2:80']);
    answer = undefined;
    time.advance(5_000);
    await settle();
    t.same(addresses('STRICT_DNS'), ['127.0.0.2:80', '127.0.0.3:80'], 'a failed refresh keeps them');
    answer = [];
    time.advance(59_000);
    await settle();
    t.equal(addresses('STRICT_DNS').length, 2, 'after a failure the refresh rate counts');
    time.advance(1_000);
    await settle();
    t.same(addresses('STRICT_DNS'), [], 'a name without records has no hosts');
    t.equal(manager.get('STRICT_DNS')?.chooseHost({}), undefined, 'UH');
    t.same(addresses('LOGICAL_DNS'), ['127.0.0.2:80'], 'logical DNS keeps its last address');
    answer = ['127.0.0.9'];
    time.advance(60_000);
    await settle();
    t.same(addresses('STRICT_DNS'), ['127.0.0.9:80'], 'and comes back');
    manager.close();
  },
);

t.test('DNS: addresses of both families race', async (t) => {
  const upstream = await startRecorder();
  t.teardown(() => upstream.close());
  const dead: string[] = [];
  const rows = [
    { name: 'a refused address is followed by the next at once', first: '127.0.0.9', wait: 0 },
    { name: 'a silent one after 300 ms', first: '192.0.2.1', wait: 300 },
  ];
  for (const { name, first, wait } of rows) {
    const time = new ManualTime();
    const real = loopbackEnvironment(time);
    const environment: Environment = {
      ...real,
      lookup: async (_, family) => [{ address: family === 4 ? first : '127.0.0.1', ttl: 60 }],
      connect: (address, port, options) => {
        if (address !== '192.0.2.1') return real.connect(address, port, options);
        const silent = new net.Socket();
        silent.once('close', () => dead.push(address));
        return silent;
      },
    };
    const config = cluster('c', {
      type: 'LOGICAL_DNS',
      dns_lookup_family: 'ALL',
      load_assignment: {
        cluster_name: 'c',
        endpoints: [
          {
            locality: {},
            lb_endpoints: [
              {
                endpoint: { address: { socket_address: { address: 'both.test', port_value: upstream.port } } },
                load_balancing_weight: 1,
              },
            ],
          },
        ],
      },
    });
    const manager = clusters([config], {}, environment);
    await manager.ready?.();
    const dialled = dial(manager, 'c');
    if (wait > 0) time.advance(wait);
    const outcome = await dialled;
    t.ok(outcome instanceof net.Socket, name);
    if (outcome instanceof net.Socket) {
      t.equal(outcome.remoteAddress, '127.0.0.1');
      outcome.destroy();
    }
    manager.close();
  }
  await until(() => dead.length === 1, 'the loser is closed');
});

t.test('DNS: each name is asked after its own TTL', async (t) => {
  const time = new ManualTime();
  const asked: string[] = [];
  const environment: Environment = {
    ...loopbackEnvironment(time),
    random: () => 0.5,
    lookup: async (name) => {
      asked.push(name);
      return name === 'slow.test'
        ? new Promise(() => {})
        : [{ address: '127.0.0.1', ttl: name === 'zero.test' ? 0 : 2 }];
    },
  };
  const target = (address: string) => ({
    endpoint: { address: { socket_address: { address, port_value: 80 } } },
    load_balancing_weight: 1,
  });
  const config = cluster('c', {
    type: 'STRICT_DNS',
    dns_refresh_rate: '60s',
    dns_jitter: '0.100s',
    respect_dns_ttl: true,
    load_assignment: {
      cluster_name: 'c',
      endpoints: [{ locality: {}, lb_endpoints: ['two.test', 'zero.test', 'slow.test', '127.0.0.8'].map(target) }],
    },
  });
  const manager = clusters([config], {}, environment);
  const ready = manager.ready?.();
  await settle();
  t.same(asked.splice(0), ['two.test', 'zero.test', 'slow.test'], 'an address is not asked for');
  time.advance(2_000);
  t.same(asked, [], 'the jitter is added');
  time.advance(50);
  await settle();
  t.same(asked.splice(0), ['two.test']);
  time.advance(2_950);
  await ready;
  t.same(
    manager.get('c')?.hosts.map(({ address }) => address),
    ['127.0.0.1:80', '127.0.0.1:80', '127.0.0.8:80'],
    'a name that is not answered holds nothing up for good',
  );
  asked.length = 0;
  time.advance(55_050);
  await settle();
  t.equal(asked.includes('zero.test'), true, 'without a TTL the refresh rate counts');
  manager.close();
});

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

t.test('circuit breaker', (t) => {
  const limits = { max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 0 };
  const manager = clusters([cluster('c', { circuit_breakers: { thresholds: [limits] } })], { c: [] });
  const circuit = manager.get('c')?.circuit;
  t.equal(circuit?.tryAcquire('connection'), true);
  t.equal(circuit?.tryAcquire('connection'), false);
  t.equal(circuit?.tryAcquire('retry'), false);
  circuit?.release('connection');
  t.equal(circuit?.tryAcquire('connection'), true);
  t.end();
});

t.test('ejection: percentage, merge window, return', async (t) => {
  const time = new ManualTime();
  const config = (max: number): Cluster =>
    cluster('c', {
      outlier_detection: {
        consecutive_5xx: 2,
        enforcing_consecutive_5xx: 100,
        interval: '10s',
        base_ejection_time: '30s',
        max_ejection_percent: max,
      },
      common_lb_config: { healthy_panic_threshold: {} },
    });
  const hosts = { c: [endpoint(1), endpoint(2)] };
  const never = clusters([config(10)], hosts, loopbackEnvironment(time)).get('c');
  const lone = never?.hosts[0];
  if (never === undefined || lone === undefined) throw new Error('no cluster');
  for (let i = 0; i < 4; i++) never.report(lone, { status: 500 });
  await settle();
  t.equal(lone.ejected, false, '10 % of two hosts is none');

  const manager = clusters([config(100)], hosts, loopbackEnvironment(time));
  const state = manager.get('c');
  const [a, b] = state?.hosts ?? [];
  if (state === undefined || a === undefined || b === undefined) throw new Error('no cluster');
  state.report(a, { status: 503 });
  state.report(a, { status: 200 });
  state.report(a, { local: 'connect_failed' });
  await settle();
  t.equal(a.ejected, false, 'a success in between starts over');
  state.report(a, { status: 500 });
  await settle();
  t.equal(a.ejected, true);
  t.equal(state.chooseHost({}), b);
  state.report(b, { local: 'timeout' });
  state.report(b, { local: 'timeout' });
  time.advance(100);
  t.equal(b.ejected, false, 'the second one within a second reaches the balancer late');
  time.advance(1_000);
  t.equal(b.ejected, true);
  t.equal(state.chooseHost({}), undefined, 'UH');
  time.advance(28_000);
  await settle();
  t.equal(a.ejected, true);
  time.advance(20_000);
  await settle();
  t.equal(a.ejected, false, 'back after 30 s, at the next sweep');
  manager.close();
});

t.test('ejection: failures of our own count apart where they are split off', async (t) => {
  const config = cluster('c', {
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_local_origin_failure: 2,
      consecutive_5xx: 2,
      max_ejection_percent: 100,
    },
  });
  const manager = clusters([config], { c: [endpoint(1), endpoint(2)] }, loopbackEnvironment(new ManualTime()));
  const state = manager.get('c');
  const [a, b] = state?.hosts ?? [];
  if (state === undefined || a === undefined || b === undefined) throw new Error('no cluster');
  state.report(a, { local: 'connect_failed' });
  state.report(a, { status: 500 });
  await settle();
  t.equal(a.ejected, false, 'one of each kind is two of neither');
  state.report(a, { local: 'timeout' });
  await settle();
  t.equal(a.ejected, true, 'a response does not end a series of local failures');
  t.equal(b.ejected, false);
  manager.close();
});

const UP_CA: Secret = { kind: 'validation_context', trustedCa: pem('ca.pem') };

function tlsCluster(
  name: string,
  changes: { sni?: string; sans?: readonly string[]; auto?: boolean; ca?: string; cert?: string; crl?: string } = {},
): Cluster {
  return cluster(name, {
    transport_socket: {
      name: TLS_TRANSPORT_SOCKET,
      typed_config: {
        ...(changes.sni === undefined ? {} : { sni: changes.sni }),
        common_tls_context: {
          tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
          ...(changes.cert === undefined
            ? {}
            : { tls_certificate_sds_secret_configs: [{ name: changes.cert, sds_config: 'ads' }] }),
          combined_validation_context: {
            default_validation_context: {
              ...(changes.sans === undefined
                ? {}
                : { match_subject_alt_names: changes.sans.map((exact) => ({ exact })) }),
              ...(changes.crl === undefined ? {} : { crl: { filename: changes.crl } }),
            },
            validation_context_sds_secret_config: { name: changes.ca ?? 'ca', sds_config: 'ads' },
          },
        },
      },
    },
    ...(changes.auto === true
      ? {
          typed_extension_protocol_options: {
            [HTTP_PROTOCOL_OPTIONS]: {
              explicit_http_config: { http_protocol_options: {} },
              upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
            },
          },
        }
      : {}),
  });
}

t.test('warm-up: an endpoint that joins gets little at first', (t) => {
  const time = new ManualTime();
  const config = cluster('c', { round_robin_lb_config: { slow_start_config: { slow_start_window: '100s' } } });
  const environment = { ...loopbackEnvironment(time), random: () => 0 };
  const first = clusters([config], { c: [endpoint(1), endpoint(2)] }, environment);
  time.advance(101_000);
  const next = clusters([config], { c: [endpoint(1), endpoint(2), endpoint(3)] }, environment, {}, first);
  const share = (): number => {
    let count = 0;
    for (let i = 0; i < 210; i++) if (next.get('c')?.chooseHost({})?.address === '127.0.0.1:3') count++;
    return count;
  };
  t.equal(share(), 10, 'a tenth of the weight of the others');
  time.advance(50_000);
  const half = share();
  t.ok(half >= 38 && half <= 44, `a fifth at half time: ${half}`);
  time.advance(50_001);
  const whole = share();
  t.ok(whole >= 69 && whole <= 71, `a third in the end: ${whole}`);
  next.close();
  t.end();
});

t.test('TLS origination', async (t) => {
  const seen: { servername: string | false; alpn: string | false; subject: string }[] = [];
  const server = tls.createServer(
    {
      cert: pem('upstream.pem'),
      key: pem('upstream.key'),
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    },
    (socket) => {
      socket.on('error', () => {});
      seen.push({
        servername: (socket as { servername?: string | false }).servername ?? false,
        alpn: socket.alpnProtocol ?? false,
        subject: socket.getPeerCertificate().subject?.CN ?? '',
      });
    },
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const plain = await startRecorder((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const at = endpoint((server.address() as net.AddressInfo).port);
  const dead = net.createServer();
  await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
  const deadPort = (dead.address() as net.AddressInfo).port;
  await new Promise<void>((resolve) => dead.close(() => resolve()));
  const manager = clusters(
    [
      tlsCluster('sni', { sni: 'any.example.com' }),
      tlsCluster('names', { sni: 'any.example.com', sans: ['nobody.example.com'] }),
      tlsCluster('auto', { auto: true }),
      tlsCluster('stranger', { sni: 'x', ca: 'other' }),
      tlsCluster('absent', { ca: 'absent' }),
      tlsCluster('revocable', { sni: 'x', crl: '/absent.pem' }),
      tlsCluster('client', { sni: 'x', cert: 'client' }),
      tlsCluster('plain', { sni: 'x' }),
      cluster('dead'),
    ],
    {
      ...Object.fromEntries(
        ['sni', 'names', 'auto', 'stranger', 'absent', 'revocable', 'client'].map((name) => [name, [at]]),
      ),
      plain: [endpoint(plain.port)],
      dead: [endpoint(deadPort)],
    },
    loopbackEnvironment(),
    {
      ca: UP_CA,
      other: { kind: 'validation_context', trustedCa: pem('client-ca-2.pem') },
      client: tlsSecret('client'),
    },
  );
  t.teardown(async () => {
    manager.close();
    server.close();
    await plain.close();
  });
  const sockets: net.Socket[] = [];
  const check = async (name: string, want: string | undefined, options: UpstreamConnectOptions = {}): Promise<void> => {
    const outcome = await dial(manager, name, options);
    if (outcome instanceof net.Socket) {
      sockets.push(outcome);
      t.equal(undefined, want, `${name}: connected`);
    } else {
      t.equal(outcome.transportFailure, want, name);
      t.equal(outcome.reason, 'remote_connection_failure');
    }
  };
  const verify = (why: string): string =>
    `TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify cert failed: ${why}:TLS_error_end`;
  const sans = (await certificateNames()).join(', ');
  await check('sni', undefined);
  await check('names', verify(`SAN matcher, certificate SANs are [${sans}]`));
  await check('auto', undefined, { serverName: 'upstream.test', applicationProtocols: ['http/1.1'] });
  await check('auto', verify(`verify SAN list, expected SANs: [Shop.local], certificate SANs: [${sans}]`), {
    serverName: 'Shop.local',
  });
  await check(
    'stranger',
    verify('X509_verify_cert: certificate verification error at depth 0: unable to get local issuer certificate'),
  );
  await check('absent', 'TLS error: Secret is not supplied by SDS');
  // A revocation list that cannot be read: nothing is accepted.
  await check('revocable', 'TLS error: Secret is not supplied by SDS');
  await check('client', undefined);
  await check('plain', 'TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end');
  await check('dead', 'delayed connect error: Connection refused');
  // Whether the server ever sees a connection that the client gave up is a race.
  await until(() => seen.some(({ subject }) => subject === 'partner client'), 'the client certificate');
  const lines = seen.map(({ servername, alpn, subject }) => `${servername} ${alpn} ${subject}`);
  for (const line of ['any.example.com false ', 'upstream.test http/1.1 ', 'x false partner client'])
    t.ok(lines.includes(line), line);
  for (const socket of sockets) socket.destroy();
});

async function certificateNames(): Promise<string[]> {
  const { X509Certificate } = await import('node:crypto');
  const { subjectAltNames } = await import('../../src/decide/certificate-facts.js');
  return subjectAltNames(new X509Certificate(pem('upstream.pem'))).map(({ value }) => value);
}

t.test('PROXY header to an upstream', async (t) => {
  const upstream = await startRecorder();
  const manager = clusters(
    [
      cluster('c', {
        transport_socket: {
          name: UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
          typed_config: { config: { version: 'V1' }, transport_socket: { name: 'raw_buffer', typed_config: {} } },
        },
      }),
    ],
    { c: [endpoint(upstream.port)] },
  );
  t.teardown(() => upstream.close());
  const downstream = {
    source: { address: '203.0.113.1', port: 1000 },
    destination: { address: '198.51.100.1', port: 9001 },
  };
  const socket = await dial(manager, 'c', { downstream });
  if (!(socket instanceof net.Socket)) throw new Error('not connected');
  const back = await new Promise<string>((resolve) => socket.once('data', (chunk) => resolve(chunk.toString())));
  t.equal(back, 'PROXY TCP4 203.0.113.1 198.51.100.1 1000 9001\r\n');
  socket.destroy();
  t.equal(
    renderProxyHeader('V2', downstream).toString('hex'),
    '0d0a0d0a000d0a515549540a2111000ccb007101c633640103e82329',
  );
  const six = { source: { address: '2001:db8::1', port: 1 }, destination: { address: '::', port: 2 } };
  t.equal(
    renderProxyHeader('V2', six).toString('hex').slice(24),
    `21210024${'20010db8'.padEnd(31, '0')}1${'0'.repeat(32)}00010002`,
  );
});
