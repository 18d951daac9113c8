// 2,000 idle connections through 200 reloads, in below 20 s: none is lost and memory does not grow with reloads.
import net from 'node:net';
import t from 'tap';
import { clientHello } from '../support/client-hello.js';
import {
  chain,
  endpoint,
  listener,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

const CONNECTIONS = 2000;
const RELOADS = 200;

t.test('idle connections and reloads', { timeout: 60_000 }, async (t) => {
  const upstream = await startRecorder();
  const build = (round: number) =>
    snapshot({
      listeners: [
        listener(8443, [
          chain({ names: ['p.example.com'], cluster: 'up' }),
          chain({ names: [`x${round}.example.com`], certificates: ['a'] }),
        ]),
      ],
      clusters: { up: [endpoint(upstream.port)], [`other-${round % 3}`]: [] },
      secrets: { a: tlsSecret('a') },
    });
  const plane = await startDataPlane(build(0));
  const hello = clientHello({ serverName: 'p.example.com' });
  const sockets: net.Socket[] = [];
  for (let from = 0; from < CONNECTIONS; from += 100) {
    await Promise.all(
      Array.from(
        { length: 100 },
        () =>
          new Promise<void>((resolve, reject) => {
            const socket = net.connect({ port: plane.port(), host: '127.0.0.1' }, () => socket.write(hello));
            socket.once('error', reject);
            socket.once('data', () => resolve());
            sockets.push(socket);
          }),
      ),
    );
  }
  t.equal(plane.manager.connectionCount, CONNECTIONS);
  const heap = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  for (let round = 1; round <= RELOADS / 4; round++) await plane.reload(build(round));
  const early = heap();
  for (let round = RELOADS / 4 + 1; round <= RELOADS; round++) await plane.reload(build(round));
  const late = heap();
  t.equal(plane.manager.connectionCount, CONNECTIONS, 'none is lost');
  // Without --expose-gc the figure is rough: 150 reloads may not cost more than 20 MB.
  t.ok(
    late - early < 20 * 1024 * 1024,
    `heap grew by ${((late - early) / 1024).toFixed(0)} KiB over ${RELOADS * 0.75} reloads`,
  );
  let alive = 0;
  await Promise.all(
    sockets.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once('data', () => {
            alive++;
            resolve();
          });
          socket.write('x');
        }),
    ),
  );
  t.equal(alive, CONNECTIONS, 'all of them still pass bytes');
  for (const socket of sockets) socket.destroy();
  await until(() => plane.manager.connectionCount === 0, 'all closed');
  await plane.close();
  await upstream.close();
});
