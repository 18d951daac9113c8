// Before a proxy is timed it has to do the job: the right service by server name, nothing for a name that nobody has, the
// right certificate, a client's certificate where one is asked for, the service's own answer over both protocols.
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { clientHello } from '../test/support/client-hello.js';
import { HOSTS, type Peer, SERVERS } from './peers.js';
import type { ClientPair } from './side-workloads.js';

const PATIENCE = 5000;
const SILENCE = 150;

/** What the proxy does wrong; `undefined` when it is right. */
export async function findFault(peer: Peer, client: ClientPair): Promise<string | undefined> {
  try {
    if (peer.direct !== undefined) return undefined;
    if (peer.passthrough !== 0) await checkPassthrough(peer.passthrough);
    if (peer.termination !== 0) await checkTermination(peer, client);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function checkPassthrough(port: number): Promise<void> {
  const ping = await firstBytes(port, HOSTS.ping);
  expect('ping', ping.toString('latin1'), 'a'.repeat(64));
  const down = await firstBytes(port, HOSTS.down);
  expect('down', down.subarray(0, 8).toString('latin1'), 'b'.repeat(8));
  expect('up', (await firstBytes(port, HOSTS.up)).length, 0);
  expect('a name that nobody has', (await firstBytes(port, 'nobody.test')).length, 0);
}

async function checkTermination({ termination: port, servers, speaks }: Peer, client: ClientPair): Promise<void> {
  const has = (name: string): boolean => servers?.includes(name) !== false;
  const ecdsa = await askHttp1(port, SERVERS.ecdsa);
  expect('HTTP/1.1', ecdsa.answer, 'HTTP/1.1 200 bench 64');
  expect('ECDSA key', ecdsa.bits, 256);
  if (speaks !== 'http/1.1') expect('HTTP/2', await askHttp2(port, SERVERS.ecdsa), '200 bench 64');
  if (has(SERVERS.rsa)) expect('RSA key', (await askHttp1(port, SERVERS.rsa)).bits, 2048);
  if (!has(SERVERS.mutual)) return;
  expect('with a client certificate', (await askHttp1(port, SERVERS.mutual, client)).answer, 'HTTP/1.1 200 bench 64');
  const refused = await askHttp1(port, SERVERS.mutual).catch(() => undefined);
  // nginx answers 400 itself where the others end the connection.
  const isServed = refused?.answer.startsWith('HTTP/1.1 200') === true;
  if (isServed) throw new Error('serves a client without a certificate');
}

/** What comes until 64 bytes are there, the connection ends, or all stays silent. */
function firstBytes(port: number, serverName: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', autoSelectFamily: false });
    let got = Buffer.alloc(0);
    let timer = setTimeout(() => socket.destroy(), PATIENCE);
    socket.on('connect', () => {
      clearTimeout(timer);
      // A service that says nothing is right to: that is what `up` does.
      timer = setTimeout(() => socket.destroy(), SILENCE);
    });
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length >= 64) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(got);
    });
    socket.write(clientHello({ serverName, alpn: ['h2', 'http/1.1'], padTo: 517 }));
  });
}

function askHttp1(
  port: number,
  servername: string,
  pair?: ClientPair,
): Promise<{ readonly answer: string; readonly bits: number | undefined }> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', servername, rejectUnauthorized: false, timeout: PATIENCE, ...pair };
    const socket = tls.connect({ ...options, ALPNProtocols: ['http/1.1'] });
    let text = '';
    let bits: number | undefined;
    socket.once('secureConnect', () => {
      bits = socket.getPeerCertificate().bits;
      socket.write(`GET /x HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('timeout', () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('close', () => {
      const status = /^HTTP\/1\.1 \d+/.exec(text)?.[0] ?? 'nothing';
      const by = /x-served-by: *(\w+)/i.exec(text)?.[1] ?? '';
      resolve({ answer: `${status} ${by} ${/x{64}/.test(text) ? 64 : 0}`, bits });
    });
  });
}

function askHttp2(port: number, servername: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`https://127.0.0.1:${port}`, { servername, rejectUnauthorized: false });
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    session.on('error', fail);
    const stream = session.request({ ':path': '/x', ':authority': servername });
    stream.setTimeout(PATIENCE, () => fail(new Error('no answer')));
    stream.on('error', fail);
    let head = '';
    let bytes = 0;
    stream.on('response', (headers) => {
      head = `${headers[':status']} ${headers['x-served-by']}`;
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on('end', () => {
      session.close();
      resolve(`${head} ${bytes}`);
    });
  });
}

function expect(what: string, got: unknown, want: unknown): void {
  if (got !== want) throw new Error(`${what}: ${String(got)} where ${String(want)} is right`);
}
