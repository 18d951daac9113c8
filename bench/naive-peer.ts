// The naive passthrough proxy that people write first: reads the name, dials, `pipe`s both ways.
import net from 'node:net';
import { TlsInspector } from '../src/match/inspect/tls-inspector.js';
import { logConnection } from './peer-log.js';

const [ping = '', down = '', up = ''] = process.argv.slice(2);
const ports: Readonly<Record<string, string>> = {
  'ping.bench.test': ping,
  'down.bench.test': down,
  'up.bench.test': up,
};

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const began = performance.now();
  const inspector = new TlsInspector();
  const peeked: Buffer[] = [];
  client.on('error', () => client.destroy());
  const peek = (chunk: Buffer): void => {
    peeked.push(chunk);
    if (inspector.push(chunk) === 'needMore') return;
    client.off('data', peek);
    client.pause();
    const port = ports[inspector.serverName];
    if (port === undefined) {
      client.destroy();
      return;
    }
    const upstream = net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => client.destroy());
    client.on('close', () => {
      upstream.destroy();
      logConnection(inspector.serverName, began);
    });
    upstream.write(Buffer.concat(peeked));
    client.pipe(upstream);
    upstream.pipe(client);
  };
  client.on('data', peek);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.send?.({ port: (server.address() as net.AddressInfo).port });
});
process.on('disconnect', () => process.exit());
