// Listener, chain choice, TLS termination and passthrough on one port, with real sockets.
import tls from 'node:tls';
import t from 'tap';
import {
  chain,
  endpoint,
  listener,
  pem,
  snapshot,
  startDataPlane,
  startRecorder,
  tlsSecret,
  until,
} from '../support/data-plane.js';

interface TlsOutcome {
  readonly subject: string;
  readonly alpn: string;
  readonly text: string;
}

function tlsCall(port: number, options: tls.ConnectionOptions, send = 'GET / HTTP/1.1\r\n\r\n'): Promise<TlsOutcome> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () =>
      socket.write(send),
    );
    socket.once('error', reject);
    socket.once('data', (chunk) => {
      resolve({
        subject: socket.getPeerCertificate().subject.CN,
        alpn: String(socket.alpnProtocol),
        text: chunk.toString(),
      });
      socket.destroy();
    });
  });
}

t.test('TLS termination, TCP behind TLS and passthrough share a port', async (t) => {
  const echo = await startRecorder();
  const secure = tls.createServer({ cert: pem('upstream.pem'), key: pem('upstream.key') }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => socket.write(`pass:${chunk}`));
  });
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const plane = await startDataPlane(
    snapshot({
      listeners: [
        listener(8443, [
          chain({ names: ['a.example.com'], certificates: ['a'] }),
          chain({ names: ['tcp.example.com'], certificates: ['b'], cluster: 'echo' }),
          chain({ names: ['p.example.com'], cluster: 'pass' }),
        ]),
      ],
      clusters: { echo: [endpoint(echo.port)], pass: [endpoint((secure.address() as { port: number }).port)] },
      secrets: { a: tlsSecret('a'), b: tlsSecret('b') },
    }),
  );
  t.teardown(async () => {
    await plane.close();
    await echo.close();
    secure.close();
  });
  const port = plane.port();
  const a = await tlsCall(port, { servername: 'a.example.com', ALPNProtocols: ['h2', 'http/1.1'] });
  t.match(a, { subject: 'a.example.com', alpn: 'h2' });
  t.match(a.text, /test\/a\.example\.com/);
  t.match(await tlsCall(port, { servername: 'a.example.com', ALPNProtocols: ['foo'] }), { alpn: 'false' });
  t.match(await tlsCall(port, { servername: 'tcp.example.com' }, 'ping'), { subject: 'b.example.com', text: 'ping' });
  const passed = await tlsCall(port, { servername: 'p.example.com' }, 'ping');
  t.equal(passed.text, 'pass:ping');
  t.not(passed.subject, a.subject, "the upstream's own certificate");
  await t.rejects(tlsCall(port, { servername: 'x.example.com' }), { code: 'ECONNRESET' });
  await until(() => plane.log.length === 3, 'three log lines');
  t.same(plane.log.map((info) => [info.flags.join(), info.details, info.requestedServerName].join()).sort(), [
    ',,p.example.com',
    ',,tcp.example.com',
    'NR,filter_chain_not_found,x.example.com',
  ]);
});
