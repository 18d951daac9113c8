// Credentials: which name is asked for, what istiod finds under it, what Envoy says of it, which chains are ready.
// Spec gateway.md §7.2, §7.6, §8.
import t from 'tap';
import { chainReadiness, noSecretArrives } from '../../src/decide/chain-readiness.js';
import { judgeCa, judgeCertificate } from '../../src/translate/secret-judgement.js';
import type { CommonTlsContext, Secret } from '../../src/xds/index.js';
import {
  AGREEMENT_CLIENT,
  CA,
  CRL,
  ENCRYPTED_KEY,
  GOOD,
  MUST_STAPLE,
  NO_NAME,
  OLD_ENCRYPTED_KEY,
  P224,
  RSA_PSS,
  SEC1_KEY,
  WEAK_RSA,
} from '../support/odd-certificates.js';
import { contextOfYaml, gatewayYaml, type TranslationOptions, translateYaml } from '../support/translation.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function secretYaml(name: string, data: Readonly<Record<string, string>>, more = ''): string {
  const entries = Object.entries(data).map(([key, value]) => `  ${key}: "${base64(value)}"`);
  const slash = name.indexOf('/');
  return `
apiVersion: v1
kind: Secret
metadata: { name: ${name.slice(slash + 1)}, namespace: ${slash === -1 ? 'istio-system' : name.slice(0, slash)} }
${more}
data:
${entries.join('\n') || '  {}'}
---
`;
}

t.test('what istiod finds under a name (§8.1-8.5)', (t) => {
  const pair = { 'tls.crt': 'CERT', 'tls.key': 'KEY' };
  const context = contextOfYaml(
    secretYaml('pair', pair) +
      secretYaml('generic', { cert: 'C', key: 'K', 'tls.crt': 'no', 'tls.key': 'no' }) +
      secretYaml('half', { cert: 'C', 'tls.key': 'K' }) +
      secretYaml('empty', { 'tls.crt': '', 'tls.key': '' }) +
      secretYaml('many', { d: '', a: '', c: '', b: '' }) +
      secretYaml('three', { a: '', b: '', c: '' }) +
      secretYaml('helm', pair, 'type: helm.sh/release.v1') +
      secretYaml('elsewhere/far', pair) +
      secretYaml('both', { ...pair, 'ca.crt': 'INNER' }) +
      secretYaml('both-cacert', { cacert: 'OUTER', 'ca.crt': 'LATER', crl: 'LIST', 'ca.crl': 'OTHER' }) +
      secretYaml('inner', { ...pair, 'ca.crt': 'INNER', 'ca.crl': 'LIST', crl: 'UNUSED' }) +
      secretYaml('strict', { ...pair, 'ca.crt': 'INNER' }) +
      secretYaml('strict-cacert', { cacert: '' }) +
      `
apiVersion: v1
kind: ConfigMap
metadata: { name: trust, namespace: elsewhere }
data: { ca.crt: MAPPED, ca.crl: LIST }
---
`,
    {
      workloadCertificates: { certificateChain: 'W', privateKey: 'WK', root: 'ROOT' },
      readFile: (path) => ({ '/c.pem': 'FC', '/k.pem': 'FK', '/ca.pem': 'FCA' })[path],
    },
  );
  const missing = (resource: string, what: string): string =>
    `failed to fetch key and certificate for ${resource}: ${what}`;
  const missingCa = (resource: string, what: string): string =>
    `failed to fetch ca certificate for ${resource}: ${what}`;
  const rows: readonly (readonly [name: string, want: Readonly<Record<string, unknown>>])[] = [
    ['kubernetes://pair', { kind: 'certificate', certificateChain: 'CERT', privateKey: 'KEY' }],
    ['kubernetes://istio-system/pair', { kind: 'certificate' }],
    ['kubernetes://generic', { certificateChain: 'C', privateKey: 'K' }],
    ['kubernetes://nope', { reason: missing('kubernetes://nope', 'secret istio-system/nope not found') }],
    ['kubernetes://far', { reason: missing('kubernetes://far', 'secret istio-system/far not found') }],
    ['kubernetes://helm', { reason: missing('kubernetes://helm', 'secret istio-system/helm not found') }],
    [
      'kubernetes://elsewhere/far',
      { kind: 'missing', reason: /^attempted to access unauthorized certificates kubernetes:\/\/elsewhere\/far: / },
    ],
    [
      'kubernetes://half',
      {
        reason: missing(
          'kubernetes://half',
          "found secret, but didn't have expected keys (cert and key) or (tls.crt and tls.key); found: cert, tls.key",
        ),
      },
    ],
    [
      'kubernetes://empty',
      { reason: missing('kubernetes://empty', 'found keys "tls.crt" and "tls.key", but they were empty') },
    ],
    ['kubernetes://many', { reason: /found: a, b, c, and 1 more\.\.\.$/ }],
    ['kubernetes://three', { reason: /found: a, b, c, and 0 more\.\.\.$/ }],
    ['kubernetes://both-cacert', { kind: 'ca', trustedCa: 'OUTER', crl: 'LIST' }],
    ['kubernetes://inner-cacert', { kind: 'ca', trustedCa: 'INNER', crl: 'LIST' }],
    [
      'kubernetes://strict-cacert',
      { reason: missingCa('kubernetes://strict-cacert', 'found key "cacert", but it was empty') },
    ],
    [
      'kubernetes://nope-cacert',
      { reason: missingCa('kubernetes://nope-cacert', 'secret istio-system/nope not found') },
    ],
    [
      'kubernetes://pair-cacert',
      {
        reason: missingCa(
          'kubernetes://pair-cacert',
          "found secret, but didn't have expected keys cacert or ca.crt; found: tls.crt, tls.key",
        ),
      },
    ],
    ['configmap://elsewhere/trust', { kind: 'ca', trustedCa: 'MAPPED', crl: 'LIST' }],
    [
      'configmap://elsewhere/none',
      { reason: missingCa('configmap://elsewhere/none', 'configmap elsewhere/none not found') },
    ],
    [
      'configmap://trust',
      { reason: 'error parsing resource name: invalid resource name "configmap://trust". Expected namespace and name' },
    ],
    ['kubernetes-gateway://istio-system/pair', { kind: 'missing' }],
    ['invalid://', { kind: 'missing' }],
    ['default', { certificateChain: 'W', privateKey: 'WK' }],
    ['ROOTCA', { trustedCa: 'ROOT' }],
    ['file-cert:/c.pem~/k.pem', { certificateChain: 'FC', privateKey: 'FK' }],
    ['file-cert:/c.pem~/none', { kind: 'missing' }],
    ['file-root:/ca.pem', { trustedCa: 'FCA' }],
    ['file-root:system', { kind: 'ca', trustedCa: '' }],
  ];
  for (const [name, want] of rows) t.match(context.credential(name), want, name);
  t.end();
});

t.test("kubernetes-gateway:// needs a Gateway of the gateway's own namespace that names it", (t) => {
  const server = (name: string): string =>
    `{ port: { number: 443, name: https, protocol: HTTPS }, hosts: [a.test], tls: { mode: SIMPLE, credentialName: "${name}" } }`;
  const pair = secretYaml('pair', { cert: 'C', key: 'K' });
  const name = 'kubernetes-gateway://istio-system/pair';
  const here = contextOfYaml(pair + gatewayYaml('istio-system/gw', [server(name)]));
  const there = contextOfYaml(pair + gatewayYaml('apps/gw', [server(name)]));
  t.equal(here.credential(name).kind, 'certificate');
  t.equal(there.credential(name).kind, 'missing');
  t.end();
});

t.test('what Envoy says of a certificate (§7.7, §8.6)', (t) => {
  const chain = 'Failed to load certificate chain from <inline>';
  const key = 'Failed to load private key from <inline>, Cause: error:';
  const good = { certificateChain: GOOD.certificate, privateKey: GOOD.key, ocspStaple: '', served: true };
  const rows: readonly (readonly [string, Partial<typeof good>, string])[] = [
    ['nothing', { certificateChain: '' }, chain],
    ['no PEM', { certificateChain: 'hello' }, chain],
    ['broken body', { certificateChain: GOOD.certificate.replace('MII', '!!!') }, chain],
    [
      'a broken intermediate',
      { certificateChain: `${GOOD.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n` },
      chain,
    ],
    [
      'a short RSA key',
      { certificateChain: WEAK_RSA.certificate, privateKey: WEAK_RSA.key },
      `${chain}, only RSA certificates with 2048-bit or larger keys are supported`,
    ],
    [
      'another curve',
      { certificateChain: P224.certificate, privateKey: P224.key },
      `${chain}, only P-256, P-384 or P-521 ECDSA certificates are supported`,
    ],
    ['a key for RSA-PSS alone', { certificateChain: RSA_PSS.certificate, privateKey: RSA_PSS.key }, chain],
    [
      'an EC key that may not sign',
      { certificateChain: AGREEMENT_CLIENT.certificate, privateKey: AGREEMENT_CLIENT.key },
      chain,
    ],
    ['no key', { privateKey: 'x' }, `${key}0900006e:PEM routines:OPENSSL_internal:NO_START_LINE`],
    [
      'an encrypted key',
      { privateKey: ENCRYPTED_KEY },
      `${key}09000068:PEM routines:OPENSSL_internal:BAD_PASSWORD_READ`,
    ],
    [
      'a key encrypted the old way',
      { privateKey: OLD_ENCRYPTED_KEY },
      `${key}09000068:PEM routines:OPENSSL_internal:BAD_PASSWORD_READ`,
    ],
    [
      'another key',
      { privateKey: MUST_STAPLE.key },
      `${key}0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH`,
    ],
    [
      'the CA first',
      { certificateChain: CA + GOOD.certificate },
      `${key}0b000074:X.509 certificate routines:OPENSSL_internal:KEY_VALUES_MISMATCH`,
    ],
    [
      'must-staple without a staple',
      { certificateChain: MUST_STAPLE.certificate, privateKey: MUST_STAPLE.key },
      'OCSP response is required for must-staple certificate',
    ],
    [
      'must-staple with one',
      { certificateChain: MUST_STAPLE.certificate, privateKey: MUST_STAPLE.key, ocspStaple: 'x' },
      '',
    ],
    [
      'nobody',
      { certificateChain: NO_NAME.certificate.replace(/^/, ''), privateKey: NO_NAME.key },
      'Invalid TLS context has neither subject CN nor SAN names',
    ],
    ['nobody as a client', { certificateChain: NO_NAME.certificate, privateKey: NO_NAME.key, served: false }, ''],
    ['a SEC1 key', { privateKey: SEC1_KEY }, ''],
    [
      'CRLF, text around, no final newline',
      { certificateChain: `text\r\n${GOOD.certificate.replaceAll('\n', '\r\n')}more`.trim() },
      '',
    ],
    ['a key inside the certificate value', { certificateChain: GOOD.key + GOOD.certificate }, ''],
    ['a certificate inside the key value', { privateKey: GOOD.certificate + GOOD.key }, ''],
    ['leaf and intermediate', { certificateChain: GOOD.certificate + CA }, ''],
  ];
  for (const [name, changes, want] of rows) {
    const verdict = judgeCertificate({ ...good, ...changes });
    t.equal(verdict.kind === 'refused' ? verdict.reason : '', want, name);
  }
  const verdict = judgeCertificate({ ...good, certificateChain: `${GOOD.key}text ${GOOD.certificate}` });
  t.same(verdict, { kind: 'accepted', material: { certificateChain: GOOD.certificate, privateKey: GOOD.key } });
  t.end();
});

t.test('what Envoy says of a CA bundle (§8.6)', (t) => {
  const refused = { kind: 'refused', reason: 'Failed to load trusted CA certificates from <inline>' };
  t.same(judgeCa('hello', undefined), refused);
  t.same(
    judgeCa(`${CA}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, undefined),
    refused,
    'one bad block of two',
  );
  t.same(judgeCa(`# mine\r\n${CA.replaceAll('\n', '\r\n')}${CA}`, undefined), {
    kind: 'accepted',
    material: { trustedCa: CA + CA },
  });
  t.same(judgeCa(CA, CRL), { kind: 'accepted', material: { trustedCa: CA, crl: CRL } });
  t.same(
    judgeCa(CA + CRL, undefined),
    { kind: 'accepted', material: { trustedCa: CA, crl: CRL } },
    'a list in the bundle counts',
  );
  t.same(
    judgeCa(CA, 'no list'),
    { kind: 'accepted', material: { trustedCa: CA, crl: '' } },
    'checking is on, with nothing to pass',
  );
  t.same(
    judgeCa(
      CA,
      CRL.replace('MII', 'AAA')
        .replace('MIH', 'AAA')
        .replace('MIG', 'AAA')
        .replace(/(-\n)(.)/, '$1A'),
    ),
    {
      kind: 'refused',
      reason: 'Failed to load CRL from <inline>',
    },
  );
  t.end();
});

const SERVER = (hosts: string, tls: string, name = 'https', protocol = 'HTTPS'): string =>
  `{ port: { number: 443, name: ${name}, protocol: ${protocol} }, hosts: [${hosts}], tls: { ${tls} } }`;

function tlsContextOf(tls: string, options: TranslationOptions = {}): CommonTlsContext & { required?: boolean } {
  const { snapshot } = translateYaml(gatewayYaml('gw', [SERVER('a.test', tls)]), options);
  const socket = snapshot.listeners[0]?.listener?.filter_chains[0]?.transport_socket;
  if (socket === undefined) throw new Error('no transport socket');
  return { ...socket.typed_config.common_tls_context, required: socket.typed_config.require_client_certificate };
}

t.test('what a server asks for (§7.2, §7.6)', (t) => {
  const ads = (name: string): unknown => ({ name, sds_config: 'ads' });
  const local = (name: string): unknown => ({ name, sds_config: 'sds-grpc' });
  const combined = (ca: unknown, rest: unknown = {}): unknown => ({
    default_validation_context: rest,
    validation_context_sds_secret_config: ca,
  });
  const rows: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    [
      'mode: SIMPLE, credentialName: c',
      {
        tls_certificate_sds_secret_configs: [ads('kubernetes://c')],
        combined_validation_context: undefined,
        required: false,
      },
    ],
    [
      'mode: SIMPLE, credentialNames: [c, d]',
      { tls_certificate_sds_secret_configs: [ads('kubernetes://c'), ads('kubernetes://d')] },
    ],
    [
      'mode: MUTUAL, credentialNames: [c, d]',
      { combined_validation_context: combined(ads('kubernetes://c-cacert')), required: true },
    ],
    [
      'mode: OPTIONAL_MUTUAL, credentialName: c, caCertCredentialName: ca',
      { combined_validation_context: combined(ads('kubernetes://ca')), required: false },
    ],
    [
      'mode: MUTUAL, credentialName: c, caCertCredentialName: "configmap://ns/ca"',
      { combined_validation_context: combined(ads('configmap://ns/ca')) },
    ],
    [
      'mode: MUTUAL, credentialName: c, subjectAltNames: [x], insecureSkipVerify: true',
      {
        combined_validation_context: combined(ads('kubernetes://c-cacert'), {
          match_subject_alt_names: [{ exact: 'x' }],
          trust_chain_verification: 'ACCEPT_UNTRUSTED',
        }),
      },
    ],
    ['mode: SIMPLE, credentialName: "sds://c"', { tls_certificate_sds_secret_configs: [ads('kubernetes://c')] }],
    ['mode: SIMPLE, credentialName: "builtin://"', { tls_certificate_sds_secret_configs: [local('default')] }],
    [
      'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl',
      {
        tls_certificate_sds_secret_configs: [local('file-cert:/c~/k')],
        combined_validation_context: combined(local('file-root:/ca'), { crl: { filename: '/crl' } }),
      },
    ],
    [
      'mode: ISTIO_MUTUAL, minProtocolVersion: TLSV1_3',
      { tls_params: undefined, combined_validation_context: combined(local('ROOTCA')), required: true },
    ],
    [
      'mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, cipherSuites: [AES128-SHA, TLS_AES_128_GCM_SHA256, AES128-SHA]',
      { tls_params: { tls_minimum_protocol_version: 'TLSv1_3', cipher_suites: ['AES128-SHA'] } },
    ],
    ['mode: SIMPLE, credentialName: c, cipherSuites: [nonsense]', { tls_params: undefined }],
  ];
  for (const [tls, want] of rows) t.match(tlsContextOf(tls), want, tls);
  const mesh = {
    tlsDefaults: { minProtocolVersion: 'TLSV1_3', cipherSuites: ['AES256-SHA'], ecdhCurves: ['P-384'] },
  } as const;
  t.same(tlsContextOf('mode: SIMPLE, credentialName: c', { mesh }).tls_params, {
    tls_minimum_protocol_version: 'TLSv1_3',
    cipher_suites: ['AES256-SHA'],
    ecdh_curves: ['P-384'],
  });
  t.equal(
    tlsContextOf('mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_2', { mesh }).tls_params
      ?.tls_minimum_protocol_version,
    'TLSv1_2',
  );
  t.same(
    tlsContextOf('mode: SIMPLE, credentialName: c, cipherSuites: [nonsense]', { mesh }).tls_params?.cipher_suites,
    ['AES256-SHA'],
  );
  t.equal(tlsContextOf('mode: ISTIO_MUTUAL', { mesh }).tls_params, undefined);
  t.end();
});

interface Readiness {
  readonly chains: Readonly<Record<string, 'ready' | 'notReady'>>;
  readonly codes?: readonly string[];
  readonly stalled?: boolean;
}

function checkReadiness(
  name: string,
  yaml: string,
  want: Readiness,
  files: Readonly<Record<string, string>> = {},
): void {
  t.test(name, (t) => {
    const { snapshot, diagnostics } = translateYaml(yaml, { readFile: (path) => files[path] });
    const chains = snapshot.listeners.flatMap(({ listener }) => listener?.filter_chains ?? []);
    const states = chains.map((chain) => [
      chain.filter_chain_match?.server_names?.[0] ?? '*',
      chainReadiness(chain, snapshot.secrets),
    ]);
    t.same(Object.fromEntries(states), want.chains);
    if (want.stalled !== undefined) t.equal(noSecretArrives(snapshot), want.stalled, 'whether a fresh gateway waits');
    if (want.codes !== undefined)
      t.same(
        diagnostics.map(({ code }) => code).filter((code) => /^PST021[012]/.test(code)),
        want.codes,
      );
    t.end();
  });
}

const PAIR = { 'tls.crt': GOOD.certificate, 'tls.key': GOOD.key };
checkReadiness(
  'a missing Secret takes its own chain only',
  secretYaml('good', PAIR) +
    gatewayYaml('gw', [
      SERVER('a.test', 'mode: SIMPLE, credentialName: good'),
      SERVER('b.test', 'mode: SIMPLE, credentialName: gone', 'b'),
    ]),
  { chains: { 'a.test': 'ready', 'b.test': 'notReady' }, codes: ['PST0210'], stalled: false },
);
checkReadiness(
  'no Secret at all: every port waits',
  gatewayYaml('gw', [
    SERVER('b.test', 'mode: SIMPLE, credentialName: gone'),
    '{ port: { number: 80, name: http, protocol: HTTP }, hosts: [a.test] }',
  ]),
  {
    chains: { '*': 'ready', 'b.test': 'notReady' },
    codes: ['PST0210', 'PST0212'],
    stalled: true,
  },
);
checkReadiness(
  'MUTUAL without a CA is closed to everybody, an unusable -cacert Secret is not passed over',
  secretYaml('good', PAIR) +
    secretYaml('both', { ...PAIR, 'ca.crt': CA }) +
    secretYaml('both-cacert', { other: 'x' }) +
    secretYaml('fine', { ...PAIR, 'ca.crt': CA }) +
    gatewayYaml('gw', [
      SERVER('a.test', 'mode: MUTUAL, credentialName: good'),
      SERVER('b.test', 'mode: OPTIONAL_MUTUAL, credentialName: both', 'b'),
      SERVER('c.test', 'mode: MUTUAL, credentialName: fine', 'c'),
    ]),
  { chains: { 'a.test': 'notReady', 'b.test': 'notReady', 'c.test': 'ready' }, codes: ['PST0210', 'PST0210'] },
);
checkReadiness(
  'one of two certificates is enough',
  secretYaml('good', PAIR) +
    gatewayYaml('gw', [
      SERVER('a.test', 'mode: SIMPLE, credentialNames: [gone, good]'),
      SERVER('b.test', 'mode: SIMPLE, credentialNames: [gone, gone-too]', 'b'),
    ]),
  { chains: { 'a.test': 'ready', 'b.test': 'notReady' }, codes: ['PST0210', 'PST0210'] },
);
checkReadiness(
  'a Secret that Envoy refuses takes its own chain only',
  secretYaml('good', PAIR) +
    secretYaml('bad', { 'tls.crt': GOOD.certificate, 'tls.key': MUST_STAPLE.key }) +
    gatewayYaml('gw', [
      SERVER('a.test', 'mode: SIMPLE, credentialName: good'),
      SERVER('b.test', 'mode: SIMPLE, credentialName: bad', 'b'),
    ]),
  { chains: { 'a.test': 'ready', 'b.test': 'notReady' }, codes: ['PST0211'] },
);
checkReadiness(
  'a CA where a certificate is wanted',
  secretYaml('ca-cacert', { cacert: CA }) +
    gatewayYaml('gw', [SERVER('a.test', 'mode: SIMPLE, credentialName: ca-cacert')]),
  { chains: { 'a.test': 'notReady' }, codes: ['PST0211'] },
);
checkReadiness(
  'a pin that is none breaks the chain',
  secretYaml('fine', { ...PAIR, cacert: CA }) +
    gatewayYaml('gw', [
      SERVER('a.test', `mode: MUTUAL, credentialName: fine, verifyCertificateHash: ["${'ab'.repeat(32)}"]`),
      SERVER('b.test', 'mode: MUTUAL, credentialName: fine, verifyCertificateSpki: [short]', 'b'),
    ]),
  { chains: { 'a.test': 'ready', 'b.test': 'notReady' }, codes: ['PST0211'] },
);
checkReadiness(
  'files that are not there',
  gatewayYaml('gw', [SERVER('a.test', 'mode: SIMPLE, serverCertificate: /c, privateKey: /k')]),
  {
    chains: { 'a.test': 'notReady' },
    codes: ['PST0210'],
    stalled: false,
  },
);

checkReadiness(
  'certificates, CA and revocation list from files of the pod',
  gatewayYaml('gw', [
    SERVER('a.test', 'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /crl'),
    SERVER('b.test', 'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /ca, caCrl: /no-crl', 'b'),
    SERVER('c.test', 'mode: MUTUAL, serverCertificate: /c, privateKey: /k, caCertificates: /no-ca', 'c'),
  ]),
  { chains: { 'a.test': 'ready', 'b.test': 'notReady', 'c.test': 'notReady' }, codes: ['PST0210', 'PST0210'] },
  { '/c': GOOD.certificate, '/k': GOOD.key, '/ca': CA, '/crl': CRL },
);

t.test('secrets of the snapshot point at the Secret, complaints at the credentialName', (t) => {
  const yaml = secretYaml('good', PAIR) + gatewayYaml('gw', [SERVER('a.test', 'mode: MUTUAL, credentialName: good')]);
  const { snapshot, origins, diagnostics } = translateYaml(yaml);
  const secret = snapshot.secrets['kubernetes://good'] as Secret;
  t.equal(origins.get(secret.originId)?.resource, 'Secret/istio-system/good');
  const lines = yaml.split('\n');
  const line = lines.findIndex((text) => text.includes('credentialName')) + 1;
  const column = (lines[line - 1] ?? '').indexOf('good }') + 1;
  t.match(
    diagnostics.find(({ code }) => code === 'PST0210'),
    { severity: 'warning', origin: { resource: 'Gateway/apps/gw', line, column } },
  );
  t.end();
});
