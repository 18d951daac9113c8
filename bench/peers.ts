// The proxies that are measured side by side, each as one process with one worker, doing the same: route by SNI to three
// TCP services without ending TLS, and end TLS for an HTTP service. What is not installed is skipped aloud; the others
// come from `node bench/install-peers.mjs`.
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childrenOf } from '../src/cli/bench/process-cpu.js';

/** Ports of the services behind the proxies. */
export interface Backends {
  /** Answers whatever it reads with 64 bytes. */
  readonly ping: number;
  /** Writes as long as somebody reads. */
  readonly down: number;
  /** Reads and says nothing. */
  readonly up: number;
  readonly http: number;
}

/** Names of the services on the wire. */
export const HOSTS = { ping: 'ping.bench.test', down: 'down.bench.test', up: 'up.bench.test' } as const;
/** Names of the servers that end TLS. */
export const SERVERS = { ecdsa: 'bench.test', rsa: 'rsa.bench.test', mutual: 'mutual.bench.test' } as const;

/** Certificate files: of each server, and of who signed the client. */
export interface Material {
  readonly ecdsa: { readonly cert: string; readonly key: string };
  readonly rsa: { readonly cert: string; readonly key: string };
  readonly clientCa: string;
}

/** A proxy that runs. A port of 0: it does not do that. */
export interface Peer {
  readonly name: string;
  readonly child: ChildProcess;
  readonly passthrough: number;
  readonly termination: number;
  /** Of the servers that end TLS; all unless it says otherwise. */
  readonly servers?: readonly string[];
  /** HTTP/2 as well unless it says otherwise. */
  readonly speaks?: 'http/1.1';
  /** No proxy: the load goes to the services, to HTTP without TLS. */
  readonly direct?: Backends;
  /** Milliseconds from its start until all its ports answered. */
  readonly startTime: number;
  /** Where its access log goes, if it has one. */
  readonly log?: string;
}

/** What is to be started, and how. */
export interface PeerSetup {
  readonly folder: string;
  readonly backends: Backends;
  readonly material: Material;
  readonly accessLog: boolean;
  /** The first alone (default), or whichever the system gives. */
  readonly processors?: 'one' | 'all';
}

type Start = (setup: PeerSetup) => Promise<Peer | string>;

/** In the order of the table; nginx is the unit. */
export const PEERS: Readonly<Record<string, Start>> = {
  nginx: startNginx,
  envoy: startEnvoy,
  haproxy: startHaproxy,
  postern: (setup) => startPostern(setup),
  'http2-proxy': startHttp2Proxy,
  'http-proxy': startHttpProxy,
  net: startNaive,
  direct: async ({ backends }) => ({
    name: 'direct',
    child: { pid: 0, kill: () => true, exitCode: 0 } as unknown as ChildProcess,
    passthrough: 0,
    termination: 0,
    direct: backends,
    startTime: 0,
  }),
};

const installed = process.env['POSTERN_BENCH_PEERS'] ?? path.join(homedir(), '.cache', 'postern-bench');

/** A command that runs `command` on the first processor alone, where the system can. */
function pinned(command: string, args: readonly string[]): [string, string[]] {
  return existsSync('/usr/bin/taskset') ? ['taskset', ['-c', '0', command, ...args]] : [command, [...args]];
}

/** A process that has been started, and when; what it says on standard output goes to `log`, if anywhere. */
interface Started {
  readonly name: string;
  readonly child: ChildProcess;
  readonly began: number;
  readonly log?: string;
}

function start(
  name: string,
  command: string,
  args: readonly string[],
  { folder, accessLog, processors = 'one' }: PeerSetup,
  environment: NodeJS.ProcessEnv = {},
): Started {
  const [program, all] = processors === 'one' ? pinned(command, args) : [command, [...args]];
  const began = performance.now();
  const log = logFile(folder, name);
  const output = accessLog ? openSync(log, 'a') : undefined;
  const child = spawn(program, all, {
    stdio: ['ignore', output ?? 'ignore', process.env['BENCH_DEBUG'] === undefined ? 'ignore' : 'inherit'],
    env: { ...process.env, ...environment },
  });
  if (output !== undefined) closeSync(output);
  return { name, child, began, ...(accessLog ? { log } : {}) };
}

function logFile(folder: string, name: string): string {
  return path.join(folder, `${name}-access.log`);
}

/** Bytes that the access log has by now. */
export function loggedBy({ log }: Peer): number {
  return log !== undefined && existsSync(log) ? statSync(log).size : 0;
}

/** Ports that nobody listens on now. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function answers(port: number, child: ChildProcess): Promise<boolean> {
  for (let attempt = 0; attempt < 2000 && child.exitCode === null; attempt++) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (up) return true;
    await wait(5);
  }
  return false;
}

async function ready(started: Started, passthrough: number, termination: number): Promise<Peer | string> {
  const { name, child, began, log } = started;
  for (const port of [passthrough, termination])
    if (port !== 0 && !(await answers(port, child))) {
      child.kill('SIGKILL');
      return `${name}: does not come up`;
    }
  const startTime = performance.now() - began;
  return { name, child, passthrough, termination, startTime, ...(log === undefined ? {} : { log }) };
}

async function startNginx(setup: PeerSetup): Promise<Peer | string> {
  const { folder, backends, material, accessLog } = setup;
  const program = [path.join(installed, 'usr/sbin/nginx'), '/usr/sbin/nginx'].find(existsSync);
  if (program === undefined) return 'nginx: not installed';
  const module = [installed, '/']
    .map((root) => path.join(root, 'usr/lib/nginx/modules/ngx_stream_module.so'))
    .find(existsSync);
  if (module === undefined) return 'nginx: has no stream module';
  const [passthrough = 0, termination = 0] = await freePorts(2);
  const log = accessLog ? logFile(folder, 'nginx') : 'off';
  const server = (name: string, pair: { cert: string; key: string }, more = '', first = false): string => `server {
    listen 127.0.0.1:${termination} ssl http2${first ? ' backlog=4096' : ''}; server_name ${name};
    ssl_certificate ${pair.cert}; ssl_certificate_key ${pair.key}; ${more}
    location / { proxy_pass http://web; }
  }`;
  writeFileSync(
    path.join(folder, 'nginx.conf'),
    `load_module ${module};
daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 30000; }
stream {
  ${accessLog ? `log_format s '$remote_addr [$time_local] $protocol $status $bytes_sent $bytes_received $session_time'; access_log ${log} s;` : ''}
  map $ssl_preread_server_name $backend {
    ${HOSTS.ping} 127.0.0.1:${backends.ping}; ${HOSTS.down} 127.0.0.1:${backends.down}; ${HOSTS.up} 127.0.0.1:${backends.up};
  }
  server { listen 127.0.0.1:${passthrough} backlog=4096; ssl_preread on; proxy_pass $backend; tcp_nodelay on; }
}
http {
  access_log ${log}; client_max_body_size 0; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path ${folder}/nginx-body; proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-f; uwsgi_temp_path ${folder}/nginx-u; scgi_temp_path ${folder}/nginx-s;
  upstream web { server 127.0.0.1:${backends.http}; keepalive 256; keepalive_requests 1000000000; }
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Request-Id $request_id;
  ssl_session_cache shared:s:10m; ssl_protocols TLSv1.2 TLSv1.3;
  ${server(SERVERS.ecdsa, material.ecdsa, '', true)}
  ${server(SERVERS.rsa, material.rsa)}
  ${server(SERVERS.mutual, material.ecdsa, `ssl_client_certificate ${material.clientCa}; ssl_verify_client on;`)}
}
`,
  );
  const args = ['-c', path.join(folder, 'nginx.conf'), '-p', folder];
  return ready(start('nginx', program, args, setup), passthrough, termination);
}

async function startHaproxy(setup: PeerSetup): Promise<Peer | string> {
  const { folder, backends, material, accessLog } = setup;
  const program = [path.join(installed, 'usr/sbin/haproxy'), '/usr/sbin/haproxy'].find(existsSync);
  if (program === undefined) return 'haproxy: not installed';
  const [passthrough = 0, termination = 0] = await freePorts(2);
  const bundle = (name: string, pair: { cert: string; key: string }): string => {
    const file = path.join(folder, `haproxy-${name}.pem`);
    writeFileSync(file, `${readFileSync(pair.cert, 'utf8')}\n${readFileSync(pair.key, 'utf8')}`);
    return file;
  };
  const list = path.join(folder, 'haproxy-certs');
  writeFileSync(
    list,
    `${bundle('ecdsa', material.ecdsa)} ${SERVERS.ecdsa}
${bundle('rsa', material.rsa)} ${SERVERS.rsa}
${bundle('mutual', material.ecdsa)} [ca-file ${material.clientCa} verify required] ${SERVERS.mutual}
`,
  );
  writeFileSync(
    path.join(folder, 'haproxy.cfg'),
    `global
  nbthread 1
  maxconn 9900
  ${accessLog ? 'log stdout format raw local0' : ''}
defaults
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  ${accessLog ? 'log global' : ''}
frontend passthrough
  mode tcp
  ${accessLog ? 'option tcplog' : ''}
  bind 127.0.0.1:${passthrough} backlog 4096
  tcp-request inspect-delay 15s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend ping if { req.ssl_sni ${HOSTS.ping} }
  use_backend down if { req.ssl_sni ${HOSTS.down} }
  use_backend up if { req.ssl_sni ${HOSTS.up} }
backend ping
  mode tcp
  server s 127.0.0.1:${backends.ping}
backend down
  mode tcp
  server s 127.0.0.1:${backends.down}
backend up
  mode tcp
  server s 127.0.0.1:${backends.up}
frontend termination
  mode http
  ${accessLog ? 'option httplog' : ''}
  bind 127.0.0.1:${termination} backlog 4096 ssl crt-list ${list} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Request-Id %[uuid()]
  default_backend web
backend web
  mode http
  http-reuse always
  server s 127.0.0.1:${backends.http}
`,
  );
  const libraries = path.join(installed, 'usr/lib/x86_64-linux-gnu');
  const args = ['-db', '-f', path.join(folder, 'haproxy.cfg')];
  const started = start('haproxy', program, args, setup, { LD_LIBRARY_PATH: libraries });
  return ready(started, passthrough, termination);
}

/** Where an Envoy is: ENVOY_BIN, or what PyPI's package has brought. */
export function findEnvoy(): string | undefined {
  const named = process.env['ENVOY_BIN'];
  if (named !== undefined) return existsSync(named) ? named : undefined;
  const libraries = path.join(installed, 'envoy/lib');
  for (const python of existsSync(libraries) ? readdirSync(libraries) : []) {
    const program = path.join(libraries, python, 'site-packages/envoy/_bin/envoy');
    if (existsSync(program)) return program;
  }
  return undefined;
}

// Envoy runs what postern itself exports of the very configuration: the comparison is of like with like.
async function startEnvoy(setup: PeerSetup): Promise<Peer | string> {
  const program = findEnvoy();
  if (program === undefined) return 'envoy: not installed';
  const { folder } = setup;
  const [port = 0] = await freePorts(1);
  const bootstrap = path.join(folder, 'envoy.yaml');
  const exported = execFileSync(
    process.execPath,
    [
      ...['dist/cli/main.js', 'export', 'envoy', writeConfiguration(setup), ...upstreamFlags(setup.backends)],
      ...['--port', `443=${port}`, '--address', '127.0.0.1', '--admin', 'off'],
      ...['--access-log', setup.accessLog ? 'text' : 'off'],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  if (exported.includes('access_log') !== setup.accessLog) return 'envoy: its access log is not as asked for';
  writeFileSync(bootstrap, exported);
  const args = ['-c', bootstrap, '--concurrency', '1', '-l', 'off', '--use-dynamic-base-id'];
  return ready(start('envoy', program, args, setup), port, port);
}

/** One configuration for postern and, exported, for Envoy; returns its file. */
export function writeConfiguration({ folder, material }: Pick<PeerSetup, 'folder' | 'material'>): string {
  const base64 = (file: string): string => readFileSync(file).toString('base64');
  const secret = (name: string, pair: { cert: string; key: string }, ca = ''): string => `apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: istio-system }
type: kubernetes.io/tls
data: { tls.crt: ${base64(pair.cert)}, tls.key: ${base64(pair.key)}${ca === '' ? '' : `, ca.crt: ${base64(ca)}`} }
`;
  const service = (name: string, port: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: bench }
spec: { ports: [${port}] }
`;
  const server = (name: string, host: string, tls: string): string =>
    `  - { port: { number: 443, name: ${name}, protocol: HTTPS }, hosts: [${host}], tls: { ${tls} } }
`;
  const passthrough = (name: string, host: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: bench }
spec:
  hosts: [${host}]
  gateways: [istio-system/edge]
  tls:
  - match: [{ port: 443, sniHosts: [${host}] }]
    route: [{ destination: { host: ${name}.bench.svc.cluster.local, port: { number: 443 } } }]
`;
  const file = path.join(folder, 'istio.yaml');
  writeFileSync(
    file,
    [
      secret('ecdsa', material.ecdsa),
      secret('rsa', material.rsa),
      secret('mutual', material.ecdsa, material.clientCa),
      service('web', '{ name: http, port: 80 }'),
      ...Object.keys(HOSTS).map((name) => service(name, '{ name: tls, port: 443 }')),
      `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
${server('passthrough', Object.values(HOSTS).join(', '), 'mode: PASSTHROUGH')}${server('https-ecdsa', SERVERS.ecdsa, 'mode: SIMPLE, credentialName: ecdsa')}${server('https-rsa', SERVERS.rsa, 'mode: SIMPLE, credentialName: rsa')}${server('https-mutual', SERVERS.mutual, 'mode: MUTUAL, credentialName: mutual')}`,
      ...Object.entries(HOSTS).map(([name, host]) => passthrough(name, host)),
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: bench }
spec:
  hosts: [${Object.values(SERVERS).join(', ')}]
  gateways: [istio-system/edge]
  http: [{ route: [{ destination: { host: web.bench.svc.cluster.local, port: { number: 80 } } }] }]
`,
    ].join('---\n'),
  );
  return file;
}

function upstreamFlags(backends: Backends): string[] {
  const { http, ...tcp } = backends;
  return [
    ...Object.entries(tcp).map(([name, port]) => `--upstream=${name}.bench.svc.cluster.local=127.0.0.1:${port}`),
    `--upstream=web.bench.svc.cluster.local=127.0.0.1:${http}`,
  ];
}

/** `main` is the program, so that another checkout can be measured beside this one; `name` is what the table calls it. */
export async function startPostern(
  setup: PeerSetup,
  { name = 'postern', main = 'dist/cli/main.js', concurrency = 1 } = {},
): Promise<Peer | string> {
  const [port = 0] = await freePorts(1);
  const config = writeConfiguration(setup);
  const profile = process.env['BENCH_PROFILE'];
  const args = [
    ...(profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]),
    ...[main, 'run', config, '--port', `443=${port}`, '--admin', 'off', '--no-watch', '--log-level', 'error'],
    ...['--access-log', setup.accessLog ? 'text' : 'off', '--concurrency', String(concurrency), '--drain-time', '0s'],
    ...upstreamFlags(setup.backends),
  ];
  return ready(start(name, process.execPath, args, setup), port, port);
}

async function startHttp2Proxy(setup: PeerSetup): Promise<Peer | string> {
  const { cert, key } = setup.material.ecdsa;
  const started = await ofScript('http2-proxy', 'termination-peer.js', [cert, key, String(setup.backends.http)], setup);
  return typeof started === 'string' ? started : { ...started, passthrough: 0, servers: [SERVERS.ecdsa] };
}

async function startHttpProxy(setup: PeerSetup): Promise<Peer | string> {
  if (!existsSync(path.join(installed, 'node_modules/http-proxy'))) return 'http-proxy: not installed';
  const { cert, key } = setup.material.ecdsa;
  const args = [installed, cert, key, String(setup.backends.http)];
  const started = await ofScript('http-proxy', 'http-proxy-peer.js', args, setup);
  if (typeof started === 'string') return started;
  return { ...started, passthrough: 0, servers: [SERVERS.ecdsa], speaks: 'http/1.1' };
}

async function startNaive(setup: PeerSetup): Promise<Peer | string> {
  const { ping, down, up } = setup.backends;
  const started = await ofScript('net', 'naive-peer.js', [String(ping), String(down), String(up)], setup);
  return typeof started === 'string' ? started : { ...started, termination: 0 };
}

/** A script of ours that tells its one port. */
async function ofScript(
  name: string,
  file: string,
  args: readonly string[],
  { folder, accessLog }: PeerSetup,
): Promise<Peer | string> {
  const began = performance.now();
  const log = logFile(folder, name);
  const output = accessLog ? openSync(log, 'a') : undefined;
  const child = fork(path.join(path.dirname(fileURLToPath(import.meta.url)), file), args, {
    stdio: ['ignore', output ?? 'ignore', process.env['BENCH_DEBUG'] === undefined ? 'ignore' : 'inherit', 'ipc'],
    env: { ...process.env, ...(accessLog ? { BENCH_ACCESS_LOG: '1' } : {}) },
  });
  if (output !== undefined) closeSync(output);
  pin(child, 0);
  const port = await new Promise<number>((resolve) => {
    child.once('message', (message: { port: number }) => resolve(message.port));
    child.once('exit', () => resolve(0));
  });
  if (port === 0) return `${name}: does not come up`;
  return ready({ name, child, began, ...(accessLog ? { log } : {}) }, port, port);
}

/** Keeps a process that runs already on one processor, where the system can. */
export function pin(child: ChildProcess, processor: number): void {
  if (existsSync('/usr/bin/taskset'))
    execFileSync('taskset', ['-a', '-c', '-p', String(processor), String(child.pid)], { stdio: 'ignore' });
}

/** KiB that the process and its children have for themselves (Pss: shared pages count in part). */
export function memoryOf(pid: number): number {
  let sum = 0;
  for (const one of [pid, ...childrenOf(pid)]) {
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // As above.
    }
  }
  return sum;
}
