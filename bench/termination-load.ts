// The other side of the termination benchmark, in its own process: the upstream, and clients that do as little as can be
// done and still count whole answers, so that the proxy is what is measured.
import net from 'node:net';
import tls from 'node:tls';

/** What the parent asks for. */
export interface LoadOrder {
  readonly port: number;
  readonly workload: 'h1' | 'h2';
  readonly connections: number;
  /** At a time on each connection. */
  readonly streams: number;
  readonly warmUp: number;
  readonly milliseconds: number;
  /** Without TLS, HTTP/1.1 only. */
  readonly isPlain: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  /** Milliseconds from a request to the end of its answer. */
  readonly p50: number;
  readonly p99: number;
}

const HOST = 'bench.test';
const BODY = 'x'.repeat(64);
const ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-served-by: bench\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
);
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const HEADERS: readonly (readonly [string, string])[] = [
  ['user-agent', 'bench/1.0'],
  ['accept', '*/*'],
  ['accept-language', 'en'],
  ['x-one', 'first value'],
  ['x-two', 'second value'],
  ['cookie', 'session=0123456789abcdef'],
];

const upstream = net.createServer({ noDelay: true }, (socket) => {
  let rest: Buffer | undefined;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    let answers = 0;
    for (let end = bytes.indexOf(END_OF_HEAD); end !== -1; end = bytes.indexOf(END_OF_HEAD, at)) {
      at = end + 4;
      answers++;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
    if (answers === 1) socket.write(ANSWER);
    else if (answers > 1) socket.write(Buffer.concat(Array.from({ length: answers }, () => ANSWER)));
  });
});
upstream.listen(0, '127.0.0.1', () => {
  const address = upstream.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());

async function run(order: LoadOrder): Promise<LoadResult> {
  const tally: Tally = { requests: 0, errors: 0, over: false, latencies: [] };
  const sockets = await Promise.all(Array.from({ length: order.connections }, () => open(order)));
  for (const socket of sockets) {
    socket.on('error', () => {
      if (!tally.over) tally.errors++;
    });
    socket.on('close', () => {
      if (!tally.over) tally.errors++;
    });
    if (order.workload === 'h1') driveHttp1(socket, tally);
    else driveHttp2(socket, tally, order.streams);
  }
  await new Promise((resolve) => setTimeout(resolve, order.warmUp));
  tally.requests = 0;
  tally.latencies = [];
  const began = performance.now();
  process.send?.({ measuring: true });
  await new Promise((resolve) => setTimeout(resolve, order.milliseconds));
  const seconds = (performance.now() - began) / 1000;
  tally.over = true;
  const { requests, errors } = tally;
  const sorted = Float64Array.from(tally.latencies).sort();
  for (const socket of sockets) socket.destroy();
  return {
    requests,
    seconds,
    errors,
    p50: sorted[Math.floor(sorted.length / 2)] ?? 0,
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
  };
}

function open({ port, workload, isPlain }: LoadOrder): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (isPlain) {
      const plain = net.connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(plain));
      plain.once('error', reject);
      return;
    }
    const socket = tls.connect(
      {
        host: '127.0.0.1',
        port,
        servername: HOST,
        rejectUnauthorized: false,
        ALPNProtocols: [workload === 'h1' ? 'http/1.1' : 'h2'],
      },
      () => resolve(socket),
    );
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

interface Tally {
  requests: number;
  errors: number;
  over: boolean;
  latencies: number[];
}

function driveHttp1(socket: net.Socket, tally: Tally): void {
  const lines = HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const request = Buffer.from(`GET /bench/path?q=1 HTTP/1.1\r\nHost: ${HOST}\r\n${lines}\r\n`);
  let text = '';
  let sent = performance.now();
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return;
    const isSized = text.toLowerCase().includes(`content-length: ${BODY.length}`);
    // A peer that drops the length answers in chunks.
    const isComplete = isSized ? text.length >= end + 4 + BODY.length : text.endsWith('0\r\n\r\n');
    if (!isComplete) return;
    if (text.startsWith('HTTP/1.1 200 ') && text.includes(BODY)) tally.requests++;
    else tally.errors++;
    text = '';
    const now = performance.now();
    tally.latencies.push(now - sent);
    sent = now;
    if (!tally.over) socket.write(request);
  });
  socket.write(request);
}

function driveHttp2(socket: net.Socket, tally: Tally, streams: number): void {
  let next = 1;
  let rest: Buffer | undefined;
  let received = 0;
  const block = headerBlock();
  /** When each stream was opened. */
  const opened = new Map<number, number>();
  const request = (count: number): Buffer => {
    const now = performance.now();
    const bytes = Buffer.allocUnsafe(count * (9 + block.length));
    for (let i = 0; i < count; i++) {
      const at = i * (9 + block.length);
      bytes.writeUIntBE(block.length, at, 3);
      bytes[at + 3] = 1; // HEADERS
      bytes[at + 4] = 5; // END_STREAM, END_HEADERS
      bytes.writeUInt32BE(next, at + 5);
      bytes.set(block, at + 9);
      opened.set(next, now);
      next += 2;
    }
    return bytes;
  };
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    let ended = 0;
    const replies: Buffer[] = [];
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      const type = bytes[at + 3] as number;
      const flags = bytes[at + 4] as number;
      if (type <= 1 && (flags & 1) !== 0) {
        const stream = bytes.readUInt32BE(at + 5);
        tally.latencies.push(performance.now() - (opened.get(stream) ?? 0));
        opened.delete(stream);
        ended++;
      }
      if (type === 0) received += length;
      else if (type === 3 || type === 7) tally.errors++;
      else if (type === 4 && (flags & 1) === 0) replies.push(frame(4, 1, 0, Buffer.alloc(0)));
      else if (type === 6 && (flags & 1) === 0) replies.push(frame(6, 1, 0, bytes.subarray(at + 9, at + 9 + length)));
      at += 9 + length;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
    if (received > 1 << 20) {
      const grant = Buffer.alloc(4);
      grant.writeUInt32BE(received);
      received = 0;
      replies.push(frame(8, 0, 0, grant));
    }
    tally.requests += ended;
    if (ended > 0 && !tally.over) replies.push(request(ended));
    if (replies.length > 0) socket.write(replies.length === 1 ? (replies[0] as Buffer) : Buffer.concat(replies));
  });
  const grant = Buffer.alloc(4);
  grant.writeUInt32BE(1 << 24);
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(4, 0, 0, Buffer.alloc(0)),
      frame(8, 0, 0, grant),
      request(streams),
    ]),
  );
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** GET over https with literal headers that are never indexed: the same block serves every stream. */
function headerBlock(): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x87])];
  const literal = (name: string, value: string): void => {
    parts.push(Buffer.from([0x00, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value));
  };
  literal(':path', '/bench/path?q=1');
  literal(':authority', HOST);
  for (const [name, value] of HEADERS) literal(name, value);
  return Buffer.concat(parts);
}
