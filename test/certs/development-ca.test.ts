// Development certificates: real chains that OpenSSL accepts.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import t from 'tap';
import { parse } from 'yaml';
import { createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import { renderCaSecret, renderTlsSecret } from '../../src/certs/secret-yaml.js';

t.test('a CA signs server and client certificates with names, usages and dates', async (t) => {
  const ca = await createDevelopmentCa('test CA');
  const authority = new X509Certificate(ca.certificate);
  t.equal(authority.ca, true);
  t.ok(authority.checkPrivateKey(createPrivateKey(ca.privateKey)));
  const server = await issueCertificate(ca, {
    commonName: 'shop.example.com',
    dnsNames: ['shop.example.com', '*.shop.example.com'],
    ipAddresses: ['127.0.0.1'],
    usage: 'server',
  });
  const leaf = new X509Certificate(server.certificate);
  t.ok(leaf.verify(authority.publicKey));
  t.ok(leaf.checkIssued(authority));
  t.ok(leaf.checkPrivateKey(createPrivateKey(server.privateKey)));
  t.equal(leaf.checkHost('a.shop.example.com'), '*.shop.example.com');
  t.equal(leaf.ca, false);
  t.strictSame(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'serverAuth');
  t.ok(Date.parse(leaf.validFrom) < Date.now(), 'valid before now, for clocks that lag');
  const client = await issueCertificate(ca, {
    commonName: 'client, with+comma',
    uris: ['spiffe://a/ns/b/sa/c'],
    usage: 'client',
  });
  const clientLeaf = new X509Certificate(client.certificate);
  t.strictSame(clientLeaf.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth');
  t.equal(clientLeaf.subject, 'CN=client_ with_comma', 'nothing of a name becomes another attribute');
  t.equal(clientLeaf.subjectAltName, 'URI:spiffe://a/ns/b/sa/c');
  const nameless = await issueCertificate(ca, {
    commonName: '',
    organization: 'cluster.local',
    uris: ['spiffe://a'],
    usage: 'both',
  });
  t.equal(new X509Certificate(nameless.certificate).subject, 'O=cluster.local', 'Envoy serves no empty common name');
  const self = new X509Certificate(
    (await issueCertificate(undefined, { commonName: 'self', usage: 'both' })).certificate,
  );
  t.ok(self.verify(self.publicKey));
});

t.test('Secrets hold the pair and the CA under the keys that Istio reads', async (t) => {
  const ca = await createDevelopmentCa();
  const pair = await issueCertificate(ca, { commonName: 'a.example.com', usage: 'server' });
  const secret = parse(renderTlsSecret('istio-system', 'a', pair)) as {
    metadata: object;
    data: Record<string, string>;
  };
  t.strictSame(secret.metadata, { name: 'a', namespace: 'istio-system' });
  t.equal(Buffer.from(secret.data['tls.crt'] ?? '', 'base64').toString(), pair.certificate);
  t.equal(Buffer.from(secret.data['tls.key'] ?? '', 'base64').toString(), pair.privateKey);
  const authority = parse(renderCaSecret('istio-system', 'a-cacert', ca.certificate)) as {
    data: Record<string, string>;
  };
  t.equal(Buffer.from(authority.data['ca.crt'] ?? '', 'base64').toString(), ca.certificate);
});
