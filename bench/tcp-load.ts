// Load and backends for connections: a process of its own. Behind the ClientHello the bytes are arbitrary: a passthrough
// proxy must not care, and no cryptography hides what it costs.
import net from 'node:net';
import tls from 'node:tls';
import { clientHello } from '../test/support/client-hello.js';

/** What the parent asks for. */
export interface TcpOrder {
  readonly workload: 'hello' | 'ping' | 'down' | 'up' | 'idle' | 'handshake';
  readonly port: number;
  /** SNI. */
  readonly serverName: string;
  readonly connections: number;
  readonly warmUp: number;
  readonly milliseconds: number;
  /** Of 'handshake'. */
  readonly tls?: { readonly resume: boolean; readonly request: boolean; readonly cert?: string; readonly key?: string };
}

/** What came of it; operations are connections, messages or bytes. */
export interface TcpResult {
  readonly operations: number;
  readonly seconds: number;
  readonly errors: number;
  /** Milliseconds, of operations that have a beginning and an end. */
  readonly p50: number;
  readonly p99: number;
  /** Of 'handshake': how many were resumed. */
  readonly resumed: number;
}

const REPLY = Buffer.alloc(64, 0x61);
const BULK = Buffer.alloc(256 * 1024, 0x62);

function listen(serve: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    serve(socket);
  });
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
      resolve((server.address() as net.AddressInfo).port);
    });
  });
}

const sink = Buffer.alloc(1024 * 1024);

void Promise.all([
  listen((socket) => socket.on('data', () => socket.write(REPLY))),
  listen((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(BULK));
    };
    socket.on('drain', more);
    socket.on('data', () => {});
    more();
  }),
  listen((socket) => socket.on('data', () => {})),
]).then(([ping, down, up]) => process.send?.({ ping, down, up }));

interface Tally {
  operations: number;
  errors: number;
  resumed: number;
  over: boolean;
  measuring: boolean;
  latencies: number[];
}

process.on('message', (order: TcpOrder) => {
  void run(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());

async function run(order: TcpOrder): Promise<TcpResult> {
  const tally: Tally = { operations: 0, errors: 0, resumed: 0, over: false, measuring: false, latencies: [] };
  const hello = clientHello({ serverName: order.serverName, alpn: ['h2', 'http/1.1'], padTo: 517 });
  const sockets = new Set<net.Socket>();
  const loops: Promise<void>[] = [];
  for (let i = 0; i < order.connections; i++) {
    if (order.workload === 'hello') loops.push(helloLoop(order, hello, tally));
    else if (order.workload === 'handshake') loops.push(handshakeLoop(order, tally));
    else loops.push(hold(order, hello, tally, sockets));
    // A storm of thousands would only show how long the accept queue is.
    if (order.workload === 'idle' && i % 64 === 63) await Promise.all(loops.splice(0));
  }
  if (order.workload !== 'hello' && order.workload !== 'handshake') await Promise.all(loops);
  await new Promise((resolve) => setTimeout(resolve, order.warmUp));
  tally.operations = 0;
  tally.resumed = 0;
  tally.latencies = [];
  tally.measuring = true;
  const began = performance.now();
  process.send?.({ measuring: true });
  await new Promise((resolve) => setTimeout(resolve, order.milliseconds));
  const seconds = (performance.now() - began) / 1000;
  tally.over = true;
  const { operations, errors, resumed } = tally;
  // A copy: the loops below go on adding.
  const sorted = Float64Array.from(tally.latencies).sort();
  if (order.workload === 'hello' || order.workload === 'handshake') await Promise.all(loops);
  for (const socket of sockets) socket.destroy();
  return {
    operations,
    seconds,
    errors,
    p50: sorted[Math.floor(sorted.length / 2)] ?? 0,
    p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    resumed,
  };
}

async function helloLoop({ port }: TcpOrder, hello: Buffer, tally: Tally): Promise<void> {
  while (!tally.over) {
    const began = performance.now();
    await new Promise<void>((resolve) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, autoSelectFamily: false });
      let got = 0;
      socket.write(hello);
      socket.on('data', (chunk: Buffer) => {
        got += chunk.length;
        if (got === REPLY.length) socket.end();
      });
      socket.on('error', () => {
        if (!tally.over) tally.errors++;
      });
      socket.on('close', () => {
        if (got === REPLY.length) {
          tally.operations++;
          tally.latencies.push(performance.now() - began);
        } else if (!tally.over) tally.errors++;
        resolve();
      });
    });
  }
}

function hold(order: TcpOrder, hello: Buffer, tally: Tally, sockets: Set<net.Socket>): Promise<void> {
  return new Promise((resolve) => {
    const { workload } = order;
    const onread =
      workload === 'down'
        ? {
            onread: {
              buffer: sink,
              callback: (length: number) => {
                tally.operations += length;
                return true;
              },
            },
          }
        : {};
    const socket = net.connect({
      port: order.port,
      host: '127.0.0.1',
      noDelay: true,
      autoSelectFamily: false,
      ...onread,
    });
    sockets.add(socket);
    socket.on('error', () => {
      if (!tally.over) tally.errors++;
      resolve();
    });
    socket.on('close', () => {
      if (!tally.over) tally.errors++;
      resolve();
    });
    socket.write(hello);
    if (workload === 'down') {
      socket.once('connect', () => resolve());
      return;
    }
    if (workload === 'up') {
      const more = (): void => {
        while (!socket.destroyed && !tally.over && write());
      };
      const write = (): boolean => {
        const began = BULK.length;
        return socket.write(BULK, () => {
          tally.operations += began;
        });
      };
      socket.once('connect', () => {
        resolve();
        more();
      });
      socket.on('drain', more);
      return;
    }
    let sent = performance.now();
    let got = 0;
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      if (got < REPLY.length) return;
      got = 0;
      resolve();
      if (workload === 'idle' || tally.over) return;
      tally.operations++;
      const now = performance.now();
      if (tally.measuring) tally.latencies.push(now - sent);
      sent = now;
      socket.write(REPLY);
    });
  });
}

async function handshakeLoop(order: TcpOrder, tally: Tally): Promise<void> {
  let session: Buffer | undefined;
  const request = `GET / HTTP/1.1\r\nHost: ${order.serverName}\r\nConnection: close\r\n\r\n`;
  while (!tally.over) {
    const began = performance.now();
    await new Promise<void>((resolve) => {
      const { resume = false, request: asks = true, cert, key } = order.tls ?? {};
      const socket = tls.connect({
        port: order.port,
        host: '127.0.0.1',
        servername: order.serverName,
        rejectUnauthorized: false,
        ALPNProtocols: ['http/1.1'],
        ...(cert === undefined || key === undefined ? {} : { cert, key }),
        ...(resume && session !== undefined ? { session } : {}),
      });
      let text = '';
      let isUp = false;
      socket.once('secureConnect', () => {
        if (socket.isSessionReused()) tally.resumed++;
        isUp = true;
        // What follows the client's last flight at once is its end: nothing but the handshake costs anything.
        if (asks) socket.write(request);
        else socket.end();
      });
      socket.on('session', (next) => {
        session = next;
      });
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        if (asks ? text.startsWith('HTTP/1.1 200') : isUp) {
          tally.operations++;
          tally.latencies.push(performance.now() - began);
        } else if (!tally.over) tally.errors++;
        resolve();
      });
    });
  }
}
