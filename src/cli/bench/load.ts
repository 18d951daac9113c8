// Clients of `postern bench`: a closed loop on a few connections that does as little as can be done and still knows each
// answer from the next, so that the gateway is what is measured.
import net from 'node:net';
import tls from 'node:tls';
import { AnswerReader } from './answer-reader.js';
import { Http2Client } from './http2-client.js';
import { clientHello } from './passthrough-hello.js';
import type { ClientPair, Subject } from './subjects.js';

/** What is done with the subjects. */
export type Workload = 'passthrough' | 'handshake' | 'http1' | 'http2';

/** A subject, where it is served, and who asks. */
export interface Target {
  readonly subject: Subject;
  readonly port: number;
  readonly pair: ClientPair | undefined;
  /** What it answered when it was first asked; another status later is an error. */
  readonly status?: number;
}

/** What came of one slice. */
export interface Slice {
  readonly operations: number;
  readonly seconds: number;
  /** Connections that ended before their answer, and answers with another status than the first one of that subject. */
  readonly errors: number;
  /** Milliseconds, by subject. */
  readonly latencies: ReadonlyMap<Subject, readonly number[]>;
}

const CONNECTIONS = 16;
/** Streams at a time on an HTTP/2 connection. */
const STREAMS = 4;
/** Of the 64 bytes that the service sends. */
const REPLY_BYTES = 64;
const PATIENCE = 5000;

/** One answer of a target over HTTP/1.1: its status. Rejects where the connection ends before, or nothing comes. */
export function askOnce(target: Target): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(target, 'http/1.1');
    const reader = new AnswerReader(target.subject.request.method);
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => {
      const status = reader.push(chunk);
      if (status === undefined) return;
      resolve(status);
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection is closed')));
    socket.write(requestBytes(target.subject));
  });
}

/** One connection of a passthrough target; rejects unless the service answers through it. */
export function passOnce(target: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port: target.port, host: '127.0.0.1', noDelay: true, autoSelectFamily: false });
    let got = 0;
    socket.setTimeout(PATIENCE, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      if (got === REPLY_BYTES) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => (got === REPLY_BYTES ? resolve() : reject(new Error('the connection is closed'))));
    socket.write(clientHello(target.subject.serverName, target.subject.alpn));
  });
}

/** Runs a workload over its targets for so long; `began` is called when what comes before has warmed up. */
export async function runSlice(
  workload: Workload,
  targets: readonly Target[],
  times: { readonly warmUp: number; readonly milliseconds: number },
  began: () => void,
): Promise<Slice> {
  const tally = new Tally();
  const loops = workload === 'passthrough' || workload === 'handshake' ? shortLoops : keptLoops;
  const running = loops(workload, targets, tally);
  await pause(times.warmUp);
  tally.start();
  began();
  await pause(times.milliseconds);
  const slice = tally.stop();
  await running;
  return slice;
}

class Tally {
  isOver = false;
  readonly sockets = new Set<net.Socket>();
  private readonly latencies = new Map<Subject, number[]>();
  private operations = 0;
  private errors = 0;
  private began = 0;

  start(): void {
    this.operations = 0;
    this.errors = 0;
    this.latencies.clear();
    this.began = performance.now();
  }

  done(subject: Subject, sent: number): void {
    this.operations++;
    const times = this.latencies.get(subject);
    if (times === undefined) this.latencies.set(subject, [performance.now() - sent]);
    else times.push(performance.now() - sent);
  }

  failed(): void {
    if (!this.isOver) this.errors++;
  }

  stop(): Slice {
    this.isOver = true;
    const { operations, errors } = this;
    const latencies = new Map([...this.latencies].map(([subject, times]) => [subject, [...times]]));
    const seconds = (performance.now() - this.began) / 1000;
    for (const socket of this.sockets) socket.destroy();
    return { operations, seconds, errors, latencies };
  }
}

/** A connection for each operation. */
async function shortLoops(workload: Workload, targets: readonly Target[], tally: Tally): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (!tally.isOver) {
      const target = targets[next++ % targets.length] as Target;
      const sent = performance.now();
      try {
        if (workload === 'passthrough') await passOnce(target);
        else if ((await askOnce(target)) !== target.status) throw new Error('another status');
        tally.done(target.subject, sent);
      } catch {
        tally.failed();
        // What is refused at once would be asked again without end.
        await pause(10);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, loop));
}

/** Connections that stay. Each asks in turn what can be asked with its server name. */
async function keptLoops(workload: Workload, targets: readonly Target[], tally: Tally): Promise<void> {
  const groups = new Map<string, Target[]>();
  for (const target of targets) {
    const key = `${target.port} ${target.subject.serverName}`;
    groups.set(key, [...(groups.get(key) ?? []), target]);
  }
  const all = [...groups.values()];
  const count = Math.max(CONNECTIONS, Math.min(all.length, 4 * CONNECTIONS));
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const group = all[i % all.length] as readonly Target[];
      while (!tally.isOver) {
        await (workload === 'http1' ? keepHttp1(group, tally) : keepHttp2(group, tally));
        if (!tally.isOver) await pause(10);
      }
    }),
  );
}

/** Until the connection ends; resolves then. */
function keepHttp1(targets: readonly Target[], tally: Tally): Promise<void> {
  const socket = tracked(connect(targets[0] as Target, 'http/1.1'), tally);
  const requests = targets.map(({ subject }) => requestBytes(subject));
  const readers = targets.map(({ subject }) => new AnswerReader(subject.request.method));
  let at = 0;
  let sent = performance.now();
  socket.on('data', (chunk: Buffer) => {
    const status = readers[at]?.push(chunk);
    if (status === undefined) return;
    const target = targets[at] as Target;
    if (status === target.status) tally.done(target.subject, sent);
    else tally.failed();
    at = (at + 1) % targets.length;
    sent = performance.now();
    if (!tally.isOver) socket.write(requests[at] as Buffer);
  });
  socket.write(requests[0] as Buffer);
  return closed(socket, tally);
}

function keepHttp2(targets: readonly Target[], tally: Tally): Promise<void> {
  const socket = tracked(connect(targets[0] as Target, 'h2'), tally);
  const client = new Http2Client(
    targets.map(({ subject }) => subject),
    (subject, sent) => tally.done(subject, sent),
    () => tally.failed(),
  );
  socket.on('data', (chunk: Buffer) => {
    const bytes = client.push(chunk, !tally.isOver);
    if (bytes.length > 0) socket.write(bytes);
  });
  socket.write(client.open(STREAMS));
  return closed(socket, tally);
}

function tracked(socket: net.Socket, tally: Tally): net.Socket {
  tally.sockets.add(socket);
  return socket;
}

function closed(socket: net.Socket, tally: Tally): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => {
      tally.sockets.delete(socket);
      // A request was on its way.
      tally.failed();
      resolve();
    });
  });
}

function connect({ subject, port, pair }: Target, protocol: 'http/1.1' | 'h2'): net.Socket {
  const address = { port, host: '127.0.0.1', autoSelectFamily: false };
  if (subject.kind === 'http') return net.connect({ ...address, noDelay: true });
  const socket = tls.connect({
    ...address,
    servername: subject.serverName,
    // Whose certificate it is has been decided; here its price counts.
    rejectUnauthorized: false,
    ALPNProtocols: [protocol],
    ...pair,
  });
  socket.setNoDelay(true);
  return socket;
}

function requestBytes({ authority, request }: Subject): Buffer {
  const headers = request.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(
    `${request.method} ${request.path} HTTP/1.1\r\nhost: ${authority}\r\nuser-agent: postern-bench\r\n${headers}\r\n`,
    'latin1',
  );
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
