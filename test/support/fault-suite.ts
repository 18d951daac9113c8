// Every fault, on many connections at a time, over HTTP/1.1 and HTTP/2 on both sides of a real gateway process: what each
// client was told, how long it took, and what the process still holds afterwards. The small run is part of `npm test`.
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type ClientGateway, startGatewayProcess } from './client-gateway.js';
import {
  clientSaw,
  type FaultUpstream,
  startHttp1Faults,
  startHttp2Faults,
  startResetter,
  WHOLE,
} from './fault-upstreams.js';
import { deadPort } from './http-gateway.js';
import { frame } from './nasty-upstream.js';

/** Route timeout of everything whose name begins with `timed`, in milliseconds. */
export const ROUTE_TIMEOUT = 400;
/** Nothing may take longer than its own time-out and this, on a busy machine. */
const SLACK = 10_000;

/** One fault of an upstream, and what comes of it. */
interface UpstreamFault {
  readonly name: string;
  readonly upstream: 'h1' | 'h2';
  /** `200 whole`, `200 cut`, or a status. */
  readonly client: string | RegExp;
  /** `code flags details` of the access log. */
  readonly log: string | RegExp;
}

const before = (reason: string): string => `upstream_reset_before_response_started{${reason}}`;
const after = (reason: string): string => `upstream_reset_after_response_started{${reason}}`;
const FINE = { client: '200 whole', log: '200 - via_upstream' };
const UC = { client: '503', log: `503 UC ${before('connection_termination')}` };
const CUT = { client: '200 cut', log: `200 UC ${after('connection_termination')}` };
/** Over HTTP/1.1 a message that ends too soon is one that Envoy's parser refuses. */
const CUT1 = { client: '200 cut', log: `200 UPE ${after('protocol_error')}` };
const LATE = { client: '504', log: '504 UT response_timeout' };
const LATE_CUT = { client: '200 cut', log: '200 UT response_timeout' };
const REFUSED = {
  client: '503',
  log: `503 URX,UF ${before('remote_connection_failure|delayed_connect_error:_Connection_refused')}`,
};
/** Whether the reset comes before or after the connection is seen to be there is a matter of chance. */
const ACCEPTED = { client: '503', log: /^503 (?:UC|URX,UF|UF) upstream_reset_before_response_started\{/ };

/** What an upstream can do wrong. */
export const UPSTREAM_FAULTS: readonly UpstreamFault[] = [
  { name: 'ok', upstream: 'h1', ...FINE },
  { name: 'refused', upstream: 'h1', ...REFUSED },
  { name: 'reset on accept', upstream: 'h1', ...ACCEPTED },
  { name: 'reset before head', upstream: 'h1', ...UC },
  { name: 'close before head', upstream: 'h1', ...UC },
  { name: 'reset in head', upstream: 'h1', client: '502', log: `502 UPE ${before('protocol_error')}` },
  { name: 'reset after head', upstream: 'h1', ...CUT1 },
  { name: 'reset in body', upstream: 'h1', ...CUT1 },
  { name: 'truncated body', upstream: 'h1', ...CUT1 },
  { name: 'truncated chunk', upstream: 'h1', ...CUT1 },
  { name: 'half-open before head', upstream: 'h1', ...UC },
  { name: 'half-open in body', upstream: 'h1', ...CUT1 },
  { name: 'timed silent', upstream: 'h1', ...LATE },
  { name: 'timed silent after head', upstream: 'h1', ...LATE_CUT },
  { name: 'timed silent in body', upstream: 'h1', ...LATE_CUT },
  { name: 'timed endless', upstream: 'h1', ...LATE_CUT },
  { name: 'slow', upstream: 'h1', ...FINE },
  { name: 'ok', upstream: 'h2', ...FINE },
  { name: 'refused', upstream: 'h2', ...REFUSED },
  { name: 'reset on accept', upstream: 'h2', ...ACCEPTED },
  { name: 'reset before head', upstream: 'h2', ...UC },
  { name: 'close before head', upstream: 'h2', ...UC },
  { name: 'reset after head', upstream: 'h2', ...CUT },
  { name: 'reset in body', upstream: 'h2', ...CUT },
  { name: 'stream reset before head', upstream: 'h2', client: '503', log: `503 UR ${before('remote_reset')}` },
  {
    name: 'stream refused',
    upstream: 'h2',
    client: '503',
    log: `503 URX,UR ${before('remote_refused_stream_reset')}`,
  },
  { name: 'stream protocol error', upstream: 'h2', client: '502', log: `502 UPE ${before('protocol_error')}` },
  { name: 'stream reset in body', upstream: 'h2', client: '200 cut', log: `200 UR ${after('remote_reset')}` },
  { name: 'truncated body', upstream: 'h2', client: '200 cut', log: `200 UPE ${after('protocol_error')}` },
  { name: 'goaway, then answer', upstream: 'h2', ...FINE },
  { name: 'half-open before head', upstream: 'h2', ...UC },
  { name: 'timed silent', upstream: 'h2', ...LATE },
  { name: 'timed silent after head', upstream: 'h2', ...LATE_CUT },
  { name: 'timed silent in body', upstream: 'h2', ...LATE_CUT },
  { name: 'slow', upstream: 'h2', ...FINE },
];

/** The gateway and its upstreams. */
export interface FaultWorld {
  readonly gateway: ClientGateway;
  readonly port: number;
  readonly upstreams: readonly FaultUpstream[];
  /** Log lines as `code flags details`, by path; what stands behind a last `-` is the connection's number. */
  logOf(path: string): string[];
  stop(): ReturnType<ClientGateway['stop']>;
}

function service(name: string, protocol: string, port: number, each: boolean): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: demo }
spec:
  hosts: [${name}.up]
  ports: [{ number: 80, name: main, protocol: ${protocol} }]
  resolution: STATIC
  location: MESH_EXTERNAL
  endpoints: [{ address: 127.0.0.1, ports: { main: ${port} } }]
---
${
  each
    ? `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: demo }
spec:
  host: ${name}.up
  trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }
---
`
    : ''
}`;
}

/** Starts everything; nothing has been asked yet. */
export async function startFaultWorld(): Promise<FaultWorld> {
  const [h1, h2, resetter] = await Promise.all([startHttp1Faults(), startHttp2Faults(), startResetter()]);
  const dead = await deadPort();
  const route = (prefix: string, host: string, more = ''): string =>
    `  - match: [{ uri: { prefix: ${JSON.stringify(prefix)} } }]${more}
    route: [{ destination: { host: ${host}.up, port: { number: 80 } } }]\n`;
  const timeout = `\n    timeout: ${ROUTE_TIMEOUT}ms`;
  const config = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 80, name: http, protocol: HTTP }
    hosts: ["*"]
---
${service('h1', 'HTTP', h1.port, false)}${service('h2', 'HTTP2', h2.port, false)}${service('h2each', 'HTTP2', h2.port, true)}${service('dead1', 'HTTP', dead, false)}${service('dead2', 'HTTP2', dead, false)}${service('resetter1', 'HTTP', resetter.port, false)}${service('resetter2', 'HTTP2', resetter.port, false)}apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: faults, namespace: demo }
spec:
  hosts: ["*"]
  gateways: [istio-system/edge]
  http:
${['1', '2']
  .map(
    (n) =>
      route(`/h${n}/timed`, `h${n}`, timeout) +
      route(`/h${n}/refused`, `dead${n}`) +
      route(`/h${n}/reset%20on%20accept`, `resetter${n}`) +
      // A connection that goes takes its streams along: one each, where it is to go in a certain phase.
      (n === '2' ? ['reset', 'close', 'half', 'goaway'].map((word) => route(`/h2/${word}`, 'h2each')).join('') : '') +
      route(`/h${n}/`, `h${n}`),
  )
  .join('')}`;
  const gateway = await startGatewayProcess(config);
  const upstreams = [h1, h2, resetter];
  return {
    gateway,
    port: gateway.plain,
    upstreams,
    logOf: (path) =>
      gateway
        .lines()
        .filter((line) => String(line['path']).replace(/-\d+$/, '') === path)
        .map((line) => `${line['response_code']} ${line['response_flags']} ${line['response_code_details']}`),
    stop: async () => {
      const ended = await gateway.stop();
      for (const upstream of upstreams) await upstream.close();
      return ended;
    },
  };
}

/** What a client saw, and after how long. */
interface Seen {
  readonly outcome: string;
  readonly milliseconds: number;
}

function overHttp1(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      clientSaw.emit(`head ${path}`);
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        clientSaw.emit(`body ${path}`);
      });
      response.on('error', () => {});
      response.on('close', () => resolve(outcome(response.statusCode ?? 0, bytes, response.complete)));
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code}`));
  });
}

function overHttp2(port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    session.on('error', (error: NodeJS.ErrnoException) => resolve(`error ${error.code}`));
    const stream = session.request({ ':path': path, ':authority': 'a.test' });
    let status = 0;
    let bytes = 0;
    let ended = false;
    stream.on('error', () => {});
    stream.on('response', (headers) => {
      status = headers[':status'] ?? 0;
      clientSaw.emit(`head ${path}`);
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      clientSaw.emit(`body ${path}`);
    });
    stream.on('end', () => {
      ended = true;
    });
    stream.on('close', () => {
      resolve(outcome(status, bytes, ended && stream.rstCode === 0));
      session.close();
    });
  });
}

function outcome(status: number, bytes: number, complete: boolean): string {
  if (status !== 200) return complete ? String(status) : `${status} cut`;
  return complete && bytes === WHOLE ? '200 whole' : complete ? `200 with ${bytes} bytes` : '200 cut';
}

/** What one fault gave on `count` connections. */
export interface FaultResult {
  readonly label: string;
  readonly wrong: readonly string[];
  readonly slowest: number;
}

/** Milliseconds that an outcome may take. */
function limitOf(name: string): number {
  return SLACK + (name.startsWith('timed') ? ROUTE_TIMEOUT : 0);
}

/** Asks for one fault on `count` connections at once and waits until its log lines are there. */
export async function runUpstreamFault(
  world: FaultWorld,
  fault: UpstreamFault,
  downstream: 'h1' | 'h2',
  count: number,
  round: number,
): Promise<FaultResult> {
  const path = `/${fault.upstream}/${encodeURIComponent(fault.name)}?${round}-${downstream}`;
  const ask = downstream === 'h1' ? overHttp1 : overHttp2;
  const limit = limitOf(fault.name);
  const seen = await Promise.all(
    Array.from({ length: count }, async (_, i): Promise<Seen> => {
      const from = performance.now();
      const timer = new AbortController();
      const late = wait(limit, 'nothing in time', { signal: timer.signal }).catch(() => '');
      const outcome = await Promise.race([ask(world.port, `${path}-${i}`), late]);
      timer.abort();
      return { outcome, milliseconds: performance.now() - from };
    }),
  );
  const wrong: string[] = [];
  const check = (what: string, values: readonly string[], wanted: string | RegExp): void => {
    const odd = values.filter((value) => (typeof wanted === 'string' ? value !== wanted : !wanted.test(value)));
    if (odd.length > 0) wrong.push(`${what}: ${odd.length} of ${values.length} as ${odd[0]}, not ${wanted}`);
  };
  check(
    'clients',
    seen.map((one) => one.outcome),
    fault.client,
  );
  for (let i = 0; i < 500 && world.logOf(path).length < count; i++) await wait(10);
  const lines = world.logOf(path);
  if (lines.length !== count) wrong.push(`${lines.length} log lines for ${count} requests`);
  check('log', lines, fault.log);
  return {
    label: `${downstream} → ${fault.upstream} ${fault.name}`,
    wrong,
    slowest: Math.max(...seen.map(({ milliseconds }) => milliseconds)),
  };
}

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]);
const literal = (name: number, value: string): Buffer =>
  Buffer.concat([Buffer.from([name, value.length]), Buffer.from(value)]);

/** A header block: `:path` and `:authority` without compression. */
function block(path: string, method: 'GET' | 'POST'): Buffer {
  return Buffer.concat([
    Buffer.from([method === 'GET' ? 0x82 : 0x83, 0x86]),
    literal(0x04, path),
    literal(0x01, 'a.test'),
  ]);
}

interface Phase {
  readonly name: string;
  /** Bytes before it goes. */
  readonly bytes: (path: string) => Buffer;
  /** The stream reaches the upstream. */
  readonly forwarded: boolean;
  /** It waits for the head of an answer first. */
  readonly answered?: boolean;
  /** Of the log; '' = no line. */
  readonly log: string;
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const GONE = '0 DC downstream_remote_disconnect';

const PHASES: Readonly<Record<'h1' | 'h2', readonly Phase[]>> = {
  h1: [
    { name: 'before a byte', bytes: () => Buffer.alloc(0), forwarded: false, log: '' },
    { name: 'in the request line', bytes: () => text('GET /h1/st'), forwarded: false, log: '' },
    { name: 'in the head', bytes: (path) => text(`GET ${path} HTTP/1.1\r\nhost: a.te`), forwarded: false, log: '' },
    {
      name: 'in the upload',
      bytes: (path) => text(`POST ${path} HTTP/1.1\r\nhost: a.test\r\ncontent-length: 500\r\n\r\nhalf`),
      forwarded: true,
      log: GONE,
    },
    {
      name: 'in a chunk',
      bytes: (path) => text(`POST ${path} HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf`),
      forwarded: true,
      log: GONE,
    },
    {
      name: 'waiting',
      bytes: (path) => text(`GET ${path} HTTP/1.1\r\nhost: a.test\r\n\r\n`),
      forwarded: true,
      log: GONE,
    },
    {
      name: 'in the response',
      bytes: (path) => text(`GET ${path} HTTP/1.1\r\nhost: a.test\r\n\r\n`),
      forwarded: true,
      answered: true,
      log: '200 DC downstream_remote_disconnect',
    },
  ],
  h2: [
    { name: 'in the preface', bytes: () => PREFACE.subarray(0, 20), forwarded: false, log: '' },
    { name: 'after the preface', bytes: () => PREFACE, forwarded: false, log: '' },
    {
      name: 'in the head',
      bytes: (path) => Buffer.concat([PREFACE, frame(1, 0, 1, block(path, 'GET'))]),
      forwarded: false,
      log: '',
    },
    {
      name: 'in the upload',
      bytes: (path) => Buffer.concat([PREFACE, frame(1, 4, 1, block(path, 'POST')), frame(0, 0, 1, text('half'))]),
      forwarded: true,
      log: GONE,
    },
    {
      name: 'waiting',
      bytes: (path) => Buffer.concat([PREFACE, frame(1, 5, 1, block(path, 'GET'))]),
      forwarded: true,
      log: GONE,
    },
    {
      name: 'in the response',
      bytes: (path) => Buffer.concat([PREFACE, frame(1, 5, 1, block(path, 'GET'))]),
      forwarded: true,
      answered: true,
      log: '200 DC downstream_remote_disconnect',
    },
  ],
};

/** Every phase in which a client can vanish, both ways of doing so: `run` is told of each. */
export async function runClientFaults(
  world: FaultWorld,
  downstream: 'h1' | 'h2',
  upstream: 'h1' | 'h2',
  count: number,
  round: number,
): Promise<FaultResult[]> {
  const results: FaultResult[] = [];
  const target = world.upstreams[upstream === 'h1' ? 0 : 1] as FaultUpstream;
  for (const phase of PHASES[downstream]) {
    for (const way of ['fin', 'reset'] as const) {
      const fault = phase.answered ? 'stuck%20in%20body' : 'stuck';
      const path = `/${upstream}/${fault}?${round}-${downstream}-${phase.name.replaceAll(' ', '-')}-${way}`;
      const from = performance.now();
      const begun = target.seen.begun;
      const over = target.seen.over;
      const wrong: string[] = [];
      const clients = Array.from({ length: count }, () => {
        const socket = net.connect({ port: world.port, host: '127.0.0.1', noDelay: true });
        socket.on('error', () => {});
        socket.write(phase.bytes(path));
        return socket;
      });
      let answered = 0;
      for (const socket of clients) {
        let received = '';
        socket.on('data', (chunk: Buffer) => {
          const before = received.includes('xxxxxxxxxx');
          received += chunk.toString('latin1');
          if (!before && received.includes('xxxxxxxxxx')) answered++;
        });
      }
      await Promise.all(clients.map((socket) => until(() => !socket.connecting)));
      if (phase.answered && !(await until(() => answered === count)))
        wrong.push(`${answered} of ${count} were answered`);
      if (phase.forwarded && !(await until(() => target.seen.begun - begun >= count)))
        wrong.push(`${target.seen.begun - begun} of ${count} reached the upstream`);
      for (const socket of clients) {
        if (way === 'fin') socket.end();
        else socket.resetAndDestroy();
      }
      if (phase.forwarded && !(await until(() => target.seen.over - over >= count)))
        wrong.push(`${target.seen.over - over} of ${count} ended at the upstream`);
      if (phase.log !== '') {
        await until(() => world.logOf(path).length >= count);
        const lines = world.logOf(path);
        const odd = lines.filter((line) => line !== phase.log);
        if (lines.length !== count) wrong.push(`${lines.length} log lines for ${count} requests`);
        if (odd.length > 0) wrong.push(`log: ${odd.length} as ${odd[0]}, not ${phase.log}`);
      }
      if (way === 'fin' && !(await until(() => clients.every((socket) => socket.destroyed))))
        wrong.push(`${clients.filter((socket) => !socket.destroyed).length} connections stay open after a FIN`);
      for (const socket of clients) socket.destroy();
      results.push({
        label: `${downstream} → ${upstream} client gone ${phase.name}, ${way}`,
        wrong,
        slowest: performance.now() - from,
      });
    }
  }
  return results;
}

async function until(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + SLACK;
  while (!condition()) {
    if (performance.now() > end) return false;
    await wait(5);
  }
  return true;
}

/** What a process holds. */
export interface Footprint {
  readonly descriptors: number;
  /** MiB resident. */
  readonly memory: number;
}

/** Of the gateway, now. Nothing is known of an Envoy. */
export function footprint({ gateway: { pid } }: Pick<FaultWorld, 'gateway'>): Footprint {
  if (pid === undefined) return { descriptors: 0, memory: 0 };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memory: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024),
  };
}

/** Drops the upstreams' idle connections and waits until no more than `descriptors` are open. */
export async function settle(world: FaultWorld, descriptors: number): Promise<Footprint> {
  for (const upstream of world.upstreams) upstream.dropAll();
  await until(() => footprint(world).descriptors <= descriptors);
  return footprint(world);
}
