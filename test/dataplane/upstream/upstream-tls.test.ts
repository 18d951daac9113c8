// TLS towards upstreams where OpenSSL and Envoy's library differ: keys, signature algorithms, what the log says of a failure
// (spec destinations.md §7, dataplane.md §2.5; measured).
import net from 'node:net';
import tls from 'node:tls';
import t from 'tap';
import { UpstreamTls } from '../../../src/dataplane/upstream/upstream-transport-socket.js';
import { pem } from '../../support/data-plane.js';
import { AGREEMENT_CLIENT, ED25519_CLIENT, P384_CLIENT, type Pair } from '../../support/odd-certificates.js';

interface Attempt {
  readonly name: string;
  readonly server: net.Server;
  /** Without a CA nothing is verified. */
  readonly ca?: string;
  /** Envoy's text; `undefined` = connected. */
  readonly want: string | undefined;
}

function checkUpstream({ name, server, ca, want }: Attempt): void {
  t.test(name, async (t) => {
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const context = new UpstreamTls(
      { common_tls_context: {}, sni: 'up.example.com' },
      {
        key: name,
        context: {},
        certificates: [],
        validation: ca === undefined ? undefined : { trustedCa: ca, crl: undefined, hasDeltaCrl: false, rules: {} },
      },
    );
    const raw = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
    await new Promise((resolve) => raw.once('connect', resolve));
    const failure = await new Promise<string | undefined>((resolve) => {
      const request = { serverName: '', checkName: '', applicationProtocols: undefined };
      const socket = context.wrap(raw, request, (failure) => {
        resolve(failure);
        socket.destroy();
      });
      socket.on('error', () => {});
    });
    t.equal(failure, want);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

const serve = (pair: Pair, options: tls.TlsOptions = {}): tls.Server =>
  tls.createServer({ cert: pair.certificate, key: pair.key, ...options }, (socket) => socket.on('error', () => {}));
const text = (reason: string): string => `TLS_error:|${reason}:TLS_error_end`;
const onHello = text(
  '268436496:SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE|268435610:SSL routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO',
);

checkUpstream({ name: 'a key on P-384', server: serve(P384_CLIENT), ca: pem('client-ca.pem'), want: undefined });
checkUpstream({ name: 'an Ed25519 key', server: serve(ED25519_CLIENT), want: onHello });
checkUpstream({
  name: 'no suite in common',
  server: serve(P384_CLIENT, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }),
  want: onHello,
});
for (const ca of [undefined, pem('client-ca.pem'), pem('ca.pem')]) {
  checkUpstream({
    name: `a key that may not sign, verified or not ${ca?.length ?? ''}`,
    server: serve(AGREEMENT_CLIENT),
    ...(ca === undefined ? {} : { ca }),
    want: text('268435758:SSL routines:OPENSSL_internal:KEY_USAGE_BIT_INCORRECT'),
  });
}
checkUpstream({
  name: 'reset in the middle of the handshake',
  server: net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
  want: text('33554536:system library:OPENSSL_internal:Connection reset by peer'),
});
checkUpstream({
  name: 'end in the middle of the handshake',
  server: net.createServer((socket) => socket.once('data', () => socket.end())),
  want: '',
});
