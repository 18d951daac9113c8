// Not a byte of a client without an accepted certificate reaches an upstream: whatever it sends, however early, and
// whatever session of another chain or of an older configuration it brings (spec gateway.md §7.3, dataplane.md §2.1).
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import t from 'tap';
import { attackConfig, type RawUpstream, startRawUpstream } from '../support/attack.js';
import { clientHello } from '../support/client-hello.js';
import { pem } from '../support/data-plane.js';
import { type RunningPostern, startPostern } from '../support/postern.js';

type Version = 'TLSv1.2' | 'TLSv1.3';
const VERSIONS: readonly Version[] = ['TLSv1.2', 'TLSv1.3'];

interface Visit {
  readonly server: string;
  readonly version: Version;
  /** Client certificate's file name; '' = none. */
  readonly certificate?: string;
  readonly session?: Buffer | undefined;
  readonly alpn?: string;
  readonly payload?: string;
}

interface Outcome {
  readonly answered: boolean;
  readonly reused: boolean;
  /** The newest session of the connection. */
  readonly session: Buffer | undefined;
}

const MARK = 'SECRET-PAYLOAD';
const REQUEST = `GET /${MARK} HTTP/1.1\r\nhost: m.test\r\n\r\n`;

/** Connects and writes before the handshake is done, so that the payload follows the client's Finished at once. */
function visit(port: number, options: Visit): Promise<Outcome> {
  const { server, version, certificate = '', session, alpn = 'http/1.1', payload = REQUEST } = options;
  return new Promise((resolve) => {
    let newest: Buffer | undefined;
    let answered = false;
    let reused = false;
    const socket = tls.connect({
      port,
      host: '127.0.0.1',
      servername: server,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: [alpn],
      ...(session === undefined ? {} : { session }),
      ...(certificate === '' ? {} : { cert: pem(`${certificate}.pem`), key: pem(`${certificate}.key`) }),
    });
    socket.write(payload, 'latin1');
    socket.on('session', (bytes) => {
      newest = bytes;
    });
    socket.on('secureConnect', () => {
      reused = socket.isSessionReused();
      if (version === 'TLSv1.2') newest = socket.getSession() ?? newest;
    });
    socket.on('error', () => {});
    socket.on('data', () => {
      answered = true;
      // In TLS 1.3 the tickets have come by now.
      setTimeout(() => socket.destroy(), 5);
    });
    socket.on('close', () => resolve({ answered, reused, session: newest }));
    socket.setTimeout(2000, () => socket.destroy());
  });
}

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
const PAYLOADS: readonly { readonly name: string; readonly alpn?: string; readonly payload: string }[] = [
  { name: 'a request', payload: REQUEST },
  { name: 'pipelined requests', payload: REQUEST.repeat(5) },
  {
    name: 'a request that expects 100-continue',
    payload: `POST /${MARK} HTTP/1.1\r\nhost: m.test\r\nexpect: 100-continue\r\ncontent-length: 14\r\n\r\n${MARK}`,
  },
  // GET, http, a literal path, an indexed authority name with m.test.
  {
    name: 'HTTP/2 preface and request',
    alpn: 'h2',
    payload: `${PREFACE}\0\0\x1b\x01\x05\0\0\0\x01\x82\x87\x04\x0f/${MARK}\x41\x06m.test`,
  },
];

const folder = await mkdtemp(path.join(tmpdir(), 'postern-mutual-'));
const file = path.join(folder, 'all.yaml');
const http: RawUpstream = await startRawUpstream((socket, chunk) => {
  if (chunk.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
});
const tcp: RawUpstream = await startRawUpstream((socket) => socket.write('ok'));
const upstreams = { http: http.port, http2: http.port, tcp: tcp.port };
await writeFile(file, attackConfig(upstreams));
const postern: RunningPostern = await startPostern([
  file,
  '--no-watch',
  ...['--access-log', 'off', '--port', '80=0', '--port', '443=0', '--port', '9000=0'],
]);
const port = postern.port(8443);
t.teardown(async () => {
  await postern.stop();
  await http.close();
  await tcp.close();
  await rm(folder, { recursive: true });
});

function seen(): string {
  return [...http.received, ...tcp.received].map(({ text }) => text).join('');
}

async function reload(changes: Parameters<typeof attackConfig>[1]): Promise<void> {
  const before = postern.stderr().split('"reloaded').length;
  await writeFile(`${file}.next`, attackConfig(upstreams, changes));
  await rename(`${file}.next`, file);
  postern.child.kill('SIGHUP');
  while (postern.stderr().split('"reloaded').length === before) await wait(5);
}

const REFUSED = [
  '',
  'client-2',
  'client-expired',
  'client-future',
  'client-server-eku',
  'client-unchained',
  'client-rogue',
  'self',
];

t.test('every refused certificate, every payload right behind the Finished', async (t) => {
  for (const version of VERSIONS) {
    for (const server of ['m.test', 'u.test']) {
      for (const certificate of REFUSED) {
        for (const { name, ...payload } of PAYLOADS) {
          const outcome = await visit(port, { server, version, certificate, ...payload });
          const told = `${version} ${server} ${certificate || 'no certificate'}, ${name}`;
          if (outcome.answered || seen().includes(MARK)) t.fail(told);
        }
      }
    }
  }
  t.notMatch(seen(), MARK);
  const accepted = await visit(port, { server: 'm.test', version: 'TLSv1.3', certificate: 'client' });
  t.ok(accepted.answered, 'the same with an accepted certificate');
  t.match(seen(), MARK);
});

t.test('who leaves in the middle of the handshake is forgotten at once', async (t) => {
  for (const serverName of ['a.test', 'm.test', 't.test', 'u.test']) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(clientHello({ serverName }));
    socket.once('data', () => socket.end());
    const begun = Date.now();
    await new Promise((resolve) => socket.once('end', resolve));
    t.ok(Date.now() - begun < 5000, `${serverName}: not kept until the deadline of 15 s`);
    socket.destroy();
  }
});

t.test('odd names of servers never fall to a laxer chain', async (t) => {
  const whole = clientHello({ serverName: 'm.test', alpn: ['h2'] });
  const tiny = clientHello({ serverName: 'm.test', recordSize: 1 });
  const hellos: Readonly<Record<string, Buffer>> = {
    'no name': clientHello({}),
    'NUL behind a name': clientHello({ serverName: 'a.test\0' }),
    'NUL inside': clientHello({ serverName: 'a.test\0.m.test' }),
    'dot at the end': clientHello({ serverName: 'a.test.' }),
    'a wildcard': clientHello({ serverName: '*.test' }),
    'an address': clientHello({ serverName: '127.0.0.1' }),
    'too long': clientHello({ serverName: `${'a'.repeat(300)}.test` }),
    'huge, with a name of none': clientHello({ serverName: 'none.test', padTo: 16_000 }),
  };
  for (const [name, hello] of Object.entries(hellos)) t.equal(await firstBytes([hello]), '', `${name}: not a byte`);
  // However it is cut, m.test stays m.test: its ServerHello asks for a certificate, which a.test's does not.
  const pieces = [...whole].map((byte) => Buffer.from([byte]));
  for (const flight of [[whole], pieces, [tiny], [...tiny].map((byte) => Buffer.from([byte]))]) {
    t.match(await firstBytes(flight), /^\x16\x03\x03/, `${flight.length} pieces are answered`);
  }
  const upper = await visit(port, { server: 'M.TEST', version: 'TLSv1.2', payload: REQUEST.replace(MARK, 'UPPER') });
  t.notOk(upper.answered, 'upper case is the same name');
  t.notMatch(seen(), 'UPPER');
});

t.test('another host than the SNI stays within the chain of the SNI', async (t) => {
  // Every server of this gateway serves every host of its own list only (spec gateway.md §14.2).
  const request = (host: string): string => `GET /FRONTED HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
  await visit(port, { server: 'a.test', version: 'TLSv1.3', payload: request('m.test') });
  await visit(port, { server: 'o.test', version: 'TLSv1.3', payload: request('m.test') });
  t.notMatch(seen(), 'FRONTED');
  await visit(port, { server: 'a.test', version: 'TLSv1.3', payload: request('a.test') });
  t.match(seen(), 'FRONTED');
});

/** Sends a hello in pieces; what comes back first, in latin1, or '' for a connection that is closed. */
function firstBytes(pieces: readonly Buffer[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      resolve(chunk.toString('latin1'));
      socket.destroy();
    });
    socket.on('close', () => resolve(''));
    socket.setTimeout(3000, () => resolve('nothing happens'));
    let at = 0;
    const next = (): void => {
      const piece = pieces[at++];
      if (piece === undefined || !socket.writable) return;
      socket.write(piece);
      setImmediate(next);
    };
    next();
  });
}

t.test('sessions never cross chains, nor outlive what they were judged by', async (t) => {
  for (const version of VERSIONS) {
    // From a laxer chain with the same certificate to a stricter one.
    for (const from of ['a.test', 'o.test', 't.test']) {
      const { session, answered } = await visit(port, { server: from, version });
      t.ok(answered && session !== undefined, `${version}: a session of ${from}`);
      for (const server of ['m.test', 'n.test', 'u.test']) {
        const outcome = await visit(port, { server, version, session, payload: REQUEST.replace(MARK, 'CROSSED') });
        t.notOk(outcome.answered, `${version}: ${from} → ${server}`);
      }
    }
    // From one client CA to another.
    const own = await visit(port, { server: 'm.test', version, certificate: 'client' });
    t.ok(own.answered);
    const again = await visit(port, { server: 'm.test', version, certificate: 'client', session: own.session });
    t.ok(again.answered && again.reused, `${version}: resumed on its own chain`);
    const bare = await visit(port, { server: 'm.test', version, session: own.session });
    t.equal(bare.answered, bare.reused, `${version}: answered only as the client that it was judged as`);
    const other = await visit(port, {
      server: 'n.test',
      version,
      certificate: 'client',
      session: own.session,
      payload: REQUEST.replace(MARK, 'CROSSED'),
    });
    t.notOk(other.answered, `${version}: m.test → n.test`);

    // The CA goes: sessions of before are worth nothing.
    await reload({ clientCa: pem('client-ca-2.pem') });
    for (const certificate of ['client', '']) {
      const outcome = await visit(port, {
        server: 'm.test',
        version,
        certificate,
        session: own.session,
        payload: REQUEST.replace(MARK, 'CROSSED'),
      });
      t.notOk(outcome.answered, `${version}: ${certificate || 'no certificate'} after its CA was removed`);
    }
    // The mode changes: a session of SIMPLE does not open MUTUAL.
    const simple = await visit(port, { server: 'a.test', version });
    await reload({ mode: 'MUTUAL' });
    const mutual = await visit(port, {
      server: 'a.test',
      version,
      session: simple.session,
      payload: REQUEST.replace(MARK, 'CROSSED'),
    });
    t.notOk(mutual.answered, `${version}: SIMPLE → MUTUAL by reload`);
    await reload({});
  }
  t.notMatch(seen(), 'CROSSED');
});
