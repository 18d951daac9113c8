// A gigabyte in every direction and through every codec with flat memory, peers that stop reading, and a process that
// has run out of file descriptors.
import { type ChildProcess, spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import t from 'tap';
import { attackConfig } from '../support/attack.js';
import { pem } from '../support/data-plane.js';
import { startPostern } from '../support/postern.js';

const MIB = 1024 * 1024;
const SIZE = 1024;
/** MiB that the process may grow by, whatever passes through it. */
const GROWTH = 120;
const PIECE = Buffer.alloc(64 * 1024, 97);
/** That the starved process may have: Node opens all of its modules at once. */
const DESCRIPTORS = 500;

function pump(to: Writable, mebibytes: number): void {
  let left = mebibytes * 16;
  const more = (): void => {
    while (left > 0 && !to.destroyed) {
      left--;
      if (!to.write(PIECE)) {
        to.once('drain', more);
        return;
      }
    }
    to.end();
  };
  more();
}

function count(from: EventEmitter): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    from.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    from.on('end', () => resolve(bytes));
    from.on('error', reject);
  });
}

async function text(from: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of from) all += String(chunk);
  return all;
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

function memory(child: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

const PORTS = ['--port', '80=0', '--port', '443=0', '--port', '9000=0'];

t.test(`${SIZE} MiB each way, and peers that stop reading`, async (t) => {
  const answer = (request: http.IncomingMessage | http2.Http2ServerRequest, response: Writable): void => {
    if (request.method === 'GET') pump(response, SIZE);
    else void count(request).then((bytes) => response.end(String(bytes)));
  };
  const servers = [
    http.createServer(answer),
    // Not its `stream`: one that is ended while its window is full is reset by node:http2 before its END_STREAM.
    http2.createServer((request, response) => answer(request, response as unknown as Writable)),
    tls.createServer({ cert: pem('a.pem'), key: pem('a.key') }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => pump(socket, SIZE));
    }),
  ] as const;
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-big-'));
  const file = path.join(folder, 'all.yaml');
  await writeFile(
    file,
    attackConfig({ http: await listen(servers[0]), http2: await listen(servers[1]), tcp: await listen(servers[2]) }),
  );
  const postern = await startPostern([file, '--no-watch', '--access-log', 'off', ...PORTS]);
  const plain = postern.port(8080);
  const secure = postern.port(8443);
  const before = memory(postern.child);
  let peak = 0;
  const looking = setInterval(() => {
    peak = Math.max(peak, memory(postern.child));
  }, 50);

  const throughHttp1 = (target: string, method: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = http.request(
        { port: plain, host: '127.0.0.1', path: target, method, agent: false },
        (response) => {
          if (method === 'GET') void count(response).then(resolve);
          else void text(response).then((bytes) => resolve(Number(bytes)));
        },
      );
      request.on('error', reject);
      if (method === 'GET') request.end();
      else pump(request, SIZE);
    });
  const session = (): http2.ClientHttp2Session =>
    http2.connect(`https://127.0.0.1:${secure}`, { servername: 'a.test', rejectUnauthorized: false });
  const throughHttp2 = async (target: string, method: string): Promise<number> => {
    const client = session();
    const stream = client.request({ ':path': target, ':method': method });
    if (method !== 'GET') pump(stream, SIZE);
    const bytes = method === 'GET' ? await count(stream) : Number(await text(stream));
    client.close();
    return bytes;
  };
  for (const target of ['/', '/h2']) {
    for (const method of ['GET', 'POST']) {
      t.equal(await throughHttp1(target, method), SIZE * MIB, `HTTP/1 ${method} ${target}`);
      t.equal(await throughHttp2(target, method), SIZE * MIB, `HTTP/2 ${method} ${target}`);
    }
  }
  const tunnel = tls.connect({ port: secure, host: '127.0.0.1', servername: 'p.test', rejectUnauthorized: false });
  tunnel.write('go');
  t.equal(await count(tunnel), SIZE * MIB, 'passthrough');
  tunnel.destroy();

  const lazy = net.connect(plain, '127.0.0.1');
  lazy.pause();
  lazy.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const lazySession = session();
  lazySession.request({ ':path': '/' }).on('error', () => {});
  const lazyTunnel = tls.connect({ port: secure, host: '127.0.0.1', servername: 'p.test', rejectUnauthorized: false });
  lazyTunnel.write('go');
  lazyTunnel.pause();
  for (const one of [lazy, lazySession, lazyTunnel]) one.on('error', () => {});
  await wait(3000);
  for (const one of [lazy, lazySession, lazyTunnel]) one.destroy();
  clearInterval(looking);
  t.ok(peak < before + GROWTH, `${Math.round(before)} MiB at the start, never more than ${Math.round(peak)}`);
  t.equal((await postern.stop()).code, 0);
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

t.test('without file descriptors it neither ends nor spins, and serves again once there are some', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-descriptors-'));
  const ready = path.join(folder, 'ready.txt');
  await writeFile(path.join(folder, 'all.yaml'), attackConfig({ http: 1, http2: 1, tcp: 1 }));
  const binary = path.resolve('dist/cli/main.js');
  const command = [process.execPath, binary, 'run', folder, '--admin', 'off', '--drain-time', '100ms', ...PORTS];
  const child = spawn('bash', ['-c', `ulimit -n ${DESCRIPTORS}; exec ${command.join(' ')} --ready-file ${ready}`]);
  child.stdout.resume();
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let port = 0;
  for (let i = 0; i < 500 && port === 0; i++) {
    await wait(20);
    try {
      const { listeners } = JSON.parse(readFileSync(ready, 'utf8')) as {
        listeners: { port: number; boundPort: number }[];
      };
      port = listeners.find((listener) => listener.port === 8080)?.boundPort ?? 0;
    } catch {
      // not there yet
    }
  }
  const sockets = Array.from({ length: 2 * DESCRIPTORS }, (_, i) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET /${i} HTTP/1.1\r\nhost: a\r\n\r\n`);
    return socket;
  });
  const descriptors = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
  for (let i = 0; i < 100 && descriptors() < DESCRIPTORS - 1; i++) await wait(20);
  t.ok(descriptors() >= DESCRIPTORS - 1, 'all descriptors are in use');
  const ticks = (): number => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ');
    return Number(fields[13]) + Number(fields[14]);
  };
  child.kill('SIGHUP');
  for (let i = 0; i < 250 && !errors.includes('EMFILE'); i++) await wait(20);
  t.match(errors, /reload failed, the running configuration stays: .*EMFILE/);
  const from = ticks();
  await wait(2000);
  t.ok(ticks() - from < 50, `${ticks() - from} hundredths of a second of work in two seconds`);
  for (const socket of sockets) socket.destroy();
  for (let i = 0; i < 200 && descriptors() > 60; i++) await wait(20);
  const status = await new Promise<number>((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path: '/version', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
      .on('error', reject);
  });
  t.equal(status, 200);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
  await rm(folder, { recursive: true });
});
