// Gateway: what each field decides. Spec gateway.md §1 and the sections named there.
import { type Made, object, type Probe, SERVICES, WEB } from './probe.js';

function gateway(servers: string, name = 'gw', selector = 'selector: {istio: ingressgateway}', more = ''): string {
  return object('Gateway', name, `${selector}\nservers:\n${servers}`, more);
}

const ROUTE = object(
  'VirtualService',
  'web',
  'hosts: ["*"]\ngateways: [gw]\nhttp: [{route: [{destination: {host: web, port: {number: 80}}}]}]',
);

function probe(paths: string | readonly string[], yaml: string, look: (made: Made) => unknown, want: unknown): Probe {
  return { kind: 'Gateway', paths: typeof paths === 'string' ? [paths] : paths, yaml, look, want };
}

/** The TLS settings of an HTTPS server; paths are those below `tls`. */
function tls(
  fields: string | readonly string[],
  settings: string,
  look: (made: Made) => unknown,
  want: unknown,
): Probe {
  const names = typeof fields === 'string' ? [fields] : fields;
  return probe(
    names.map((name) => `spec.servers[].tls.${name}`),
    gateway(`- {port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["a.example.com"], tls: {${settings}}}`),
    look,
    want,
  );
}

const listeners = (made: Made): unknown => made.snapshot.listeners.map(({ name }) => name);
const common = (made: Made): unknown => made.tls?.common_tls_context;
const parameters = (made: Made): unknown => made.tls?.common_tls_context.tls_params;
const validation = (made: Made): unknown => made.tls?.common_tls_context.combined_validation_context;

const HTTP = '- {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["a.example.com"]}';
const HASH = 'a'.repeat(64);
const SPKI = `${'A'.repeat(43)}=`;

export const gatewayProbes: readonly Probe[] = [
  probe(
    [
      'metadata',
      'metadata.namespace',
      'metadata.name',
      'spec',
      'spec.servers',
      'spec.servers[].port',
      'spec.servers[].hosts',
    ],
    `${SERVICES}${gateway(HTTP)}${ROUTE}`,
    (made) => [made.decide().cluster, made.virtualHosts.map(({ domains }) => domains)],
    [WEB, [['a.example.com']]],
  ),
  probe(
    // §2.1: none of the labels of the gateway is missing but this one.
    'spec.selector',
    gateway(HTTP, 'gw', 'selector: {istio: another}'),
    listeners,
    [],
  ),
  probe(
    'metadata.creationTimestamp',
    // §2.2, §4.3: of two servers of different protocols on a port, the older Gateway's wins.
    `${gateway('- {port: {number: 9000, name: a, protocol: TCP}, hosts: ["*"]}', 'a', undefined, ', creationTimestamp: "2024-05-02T00:00:00Z"')}${gateway(
      '- {port: {number: 9000, name: b, protocol: HTTP}, hosts: ["*"]}',
      'b',
      undefined,
      ', creationTimestamp: "2024-05-01T00:00:00Z"',
    )}`,
    (made) => made.manager?.rds.route_config_name,
    'http.9000',
  ),
  probe('spec.servers[].port.number', gateway(HTTP), listeners, ['0.0.0.0_8080']),
  probe('spec.servers[].port.protocol', gateway(HTTP), (made) => made.manager?.rds.route_config_name, 'http.8080'),
  probe(
    // §4.1: the name is part of the route table's where TLS ends.
    'spec.servers[].port.name',
    gateway(
      '- {port: {number: 8443, name: web-tls, protocol: HTTPS}, hosts: ["a.example.com"], tls: {mode: SIMPLE, credentialName: c}}',
    ),
    (made) => made.manager?.rds.route_config_name,
    'https.8443.web-tls.gw.apps',
  ),
  probe(
    'spec.servers[].bind',
    gateway('- {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"], bind: 127.0.0.3}'),
    (made) => made.snapshot.listeners.map(({ name, listener }) => [name, listener?.address]),
    [['127.0.0.3_8080', { socket_address: { address: '127.0.0.3', port_value: 8080 } }]],
  ),
  probe(
    // §12.4
    'spec.servers[].name',
    gateway(
      '- {name: shop, port: {number: 8443, name: https, protocol: HTTPS}, hosts: ["a.example.com"], tls: {mode: SIMPLE, credentialName: c}}',
    ),
    (made) => made.manager?.stat_prefix,
    'shop',
  ),

  // TLS (§1.4, §7, §8, §9).
  probe(
    ['spec.servers[].tls', 'spec.servers[].tls.httpsRedirect'],
    `${SERVICES}${gateway(`${HTTP.slice(0, -1)}, tls: {httpsRedirect: true}}`)}${ROUTE}`,
    (made) => made.decide({ path: '/x?y' }),
    { status: 301, location: 'https://a.example.com/x?y', error: 'tls_redirect' },
  ),
  tls(['mode', 'credentialName'], 'mode: SIMPLE, credentialName: shop-tls', common, {
    tls_certificate_sds_secret_configs: [{ name: 'kubernetes://shop-tls' }],
    combined_validation_context: undefined,
  }),
  tls(['serverCertificate', 'privateKey'], 'mode: SIMPLE, serverCertificate: /c.pem, privateKey: /k.pem', common, {
    tls_certificate_sds_secret_configs: [{ name: 'file-cert:/c.pem~/k.pem' }],
  }),
  tls(
    'caCertificates',
    'mode: MUTUAL, serverCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem',
    (made) => [made.tls?.require_client_certificate, validation(made)],
    [true, { validation_context_sds_secret_config: { name: 'file-root:/ca.pem' } }],
  ),
  tls(
    'caCrl',
    'mode: MUTUAL, serverCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem, caCrl: /crl.pem',
    validation,
    { default_validation_context: { crl: { filename: '/crl.pem' } } },
  ),
  tls('credentialNames', 'mode: SIMPLE, credentialNames: [rsa, ecdsa]', common, {
    tls_certificate_sds_secret_configs: [{ name: 'kubernetes://rsa' }, { name: 'kubernetes://ecdsa' }],
  }),
  tls(
    'caCertCredentialName',
    'mode: MUTUAL, credentialName: shop-tls, caCertCredentialName: partners-cacert',
    validation,
    {
      validation_context_sds_secret_config: { name: 'kubernetes://partners-cacert' },
    },
  ),
  tls(
    ['tlsCertificates', 'tlsCertificates[].serverCertificate', 'tlsCertificates[].privateKey'],
    'mode: SIMPLE, tlsCertificates: [{serverCertificate: /c1, privateKey: /k1}, {serverCertificate: /c2, privateKey: /k2}]',
    common,
    { tls_certificate_sds_secret_configs: [{ name: 'file-cert:/c1~/k1' }, { name: 'file-cert:/c2~/k2' }] },
  ),
  tls('subjectAltNames', 'mode: MUTUAL, credentialName: shop-tls, subjectAltNames: [client.example]', validation, {
    default_validation_context: { match_subject_alt_names: [{ exact: 'client.example' }] },
  }),
  tls(
    'verifyCertificateSpki',
    `mode: MUTUAL, credentialName: shop-tls, verifyCertificateSpki: ["${SPKI}"]`,
    validation,
    {
      default_validation_context: { verify_certificate_spki: [SPKI] },
    },
  ),
  tls(
    'verifyCertificateHash',
    `mode: MUTUAL, credentialName: shop-tls, verifyCertificateHash: ["${HASH}"]`,
    validation,
    {
      default_validation_context: { verify_certificate_hash: [HASH] },
    },
  ),
  tls('minProtocolVersion', 'mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3', parameters, {
    tls_minimum_protocol_version: 'TLSv1_3',
  }),
  tls('maxProtocolVersion', 'mode: SIMPLE, credentialName: c, maxProtocolVersion: TLSV1_2', parameters, {
    tls_maximum_protocol_version: 'TLSv1_2',
  }),
  tls('cipherSuites', 'mode: SIMPLE, credentialName: c, cipherSuites: [ECDHE-RSA-AES256-GCM-SHA384]', parameters, {
    cipher_suites: ['ECDHE-RSA-AES256-GCM-SHA384'],
  }),
  tls('ecdhCurves', 'mode: SIMPLE, credentialName: c, ecdhCurves: [P-384]', parameters, { ecdh_curves: ['P-384'] }),
  tls('insecureSkipVerify', 'mode: OPTIONAL_MUTUAL, credentialName: c, insecureSkipVerify: true', validation, {
    default_validation_context: { trust_chain_verification: 'ACCEPT_UNTRUSTED' },
  }),
];
