// What certificates say of themselves and of each other, as tables (spec dataplane.md §2.3, gateway.md §7.4).
import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { type CertificateRequest, createDevelopmentCa, issueCertificate } from '../../src/certs/development-ca.js';
import {
  brokenLink,
  certificateNames,
  coversHost,
  dayText,
  isSelfSigned,
  sampleHost,
  validityOf,
} from '../../src/decide/certificate-facts.js';

const NOW = Date.parse('2026-06-01');
const ca = await createDevelopmentCa('first CA', NOW);
const other = await createDevelopmentCa('other CA', NOW);
const root = new X509Certificate(ca.certificate);
const stranger = new X509Certificate(other.certificate);
const leaf = await issued({
  commonName: 'name.test',
  dnsNames: ['shop.test', '*.wild.test'],
  ipAddresses: ['192.0.2.1', '2001:db8::1'],
});

async function issued(
  names: Omit<CertificateRequest, 'usage'>,
  from: typeof ca | 'itself' = ca,
): Promise<X509Certificate> {
  const { certificate } = await issueCertificate(
    from === 'itself' ? undefined : from,
    { ...names, usage: 'server', days: 10 },
    NOW,
  );
  return new X509Certificate(certificate);
}

t.test('hosts that a certificate covers', (t) => {
  for (const [host, want] of [
    ['shop.test', true],
    ['SHOP.test', true],
    ['www.shop.test', false],
    ['a.wild.test', true],
    ['*.wild.test', true],
    ['*.shop.test', false],
    ['*.a.wild.test', false],
    ['wild.test', false],
    ['name.test', false],
    ['192.0.2.1', true],
    ['192.0.2.2', false],
    ['2001:db8::1', true],
    ['[2001:db8::1]', true],
  ] as const) {
    t.equal(coversHost(leaf, host), want, host);
  }
  t.equal(sampleHost('*.wild.test'), 'postern-any.wild.test');
  t.equal(sampleHost('shop.test'), 'shop.test');
  t.end();
});

t.test('what a certificate is called by', async (t) => {
  t.same(certificateNames(leaf), ['name.test', 'shop.test', '*.wild.test']);
  t.same(certificateNames(await issued({ commonName: '', dnsNames: ['a.test'] })), ['a.test'], 'no common name');
  t.same(certificateNames(await issued({ commonName: 'a.test', dnsNames: ['a.test'] })), ['a.test'], 'each once');
  const uris = ['spiffe://mesh.test/DNS:other.test'];
  t.same(certificateNames(await issued({ commonName: 'a.test', uris })), ['a.test'], 'nothing of a URI');
});

t.test('who signed whom', async (t) => {
  t.equal(isSelfSigned(root), true, 'a root');
  t.equal(
    isSelfSigned(await issued({ commonName: 'x' }, 'itself')),
    true,
    'a leaf whose key may not sign certificates',
  );
  t.equal(isSelfSigned(leaf), false, 'a leaf of a CA');
  const namesake = await issued({ commonName: 'first CA' });
  t.equal(isSelfSigned(namesake), false, 'a leaf that is called like its CA');
  for (const [chain, want] of [
    [[], undefined],
    [[leaf], undefined],
    [[leaf, root], undefined],
    [[leaf, root, root], undefined],
    [[leaf, stranger], 0],
    [[leaf, root, stranger], 1],
  ] as const) {
    t.equal(brokenLink(chain), want);
  }
});

t.test('dates', (t) => {
  const { from, to } = validityOf(leaf);
  t.equal(dayText(from), '2026-05-31');
  t.equal(dayText(to), '2026-06-11');
  t.equal(dayText(Number.NaN), 'unknown');
  t.end();
});
