// Gateway: spec validation.md §2 (names, addresses), §3.
import t from 'tap';
import { checkRows, said } from './support.js';

const server = (fields: string): string => `{servers: [{${fields}}]}`;
const PORT = 'port: {number: 80, name: http, protocol: HTTP}';
const SECURE = 'port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.test]';
const hosts = (list: string): string => server(`${PORT}, hosts: ${list}`);

const label = (domain: string, part: string): string => `domain name "${domain}" invalid (label "${part}" invalid)`;
const SHORT = 'short names (non FQDN) are not allowed';
const partial = (host: string): string => `partial wildcard "${host}" not allowed`;

checkRows('hosts', 'Gateway', hosts, [
  ['["*"]'],
  ['["*.foo.com", foo.com., 1.1.1.1, ns1/foo.com, "*/foo.com", "./*", "*.com"]'],
  ['[localhost]', SHORT],
  ['["::1"]', SHORT],
  ['[""]', SHORT, 'empty domain name not allowed'],
  ['["foo.*.com"]', label('*.com', '*'), partial('foo.*.com')],
  ['["foo*.com"]', label('foo*.com', 'foo*'), partial('foo*.com')],
  ['["*foo.com"]', partial('*foo.com')],
  ['["*-x.foo.com"]', partial('*-x.foo.com')],
  ['["foo.com:443"]', label('com:443', 'com:443')],
  ['["~/foo.com"]', 'invalid namespace value "~" in gateway'],
  [
    '["/foo.com"]',
    'config namespace and dnsName in host entry cannot be empty',
    'invalid namespace value "" in gateway',
  ],
  ['["ns/"]', 'config namespace and dnsName in host entry cannot be empty', SHORT, 'empty domain name not allowed'],
  ['["a_b/foo.com"]', 'invalid namespace value "a_b" in gateway'],
  ['[]', 'server config must contain at least one host'],
  [`["${'a'.repeat(64)}.com"]`, label(`${'a'.repeat(64)}.com`, 'a'.repeat(64))],
  [`["${'abcdefgh.'.repeat(30)}com"]`, `domain name "${'abcdefgh.'.repeat(30)}com" too long (max 255)`],
  ['["a.b.123"]', 'domain name "b.123" invalid (top level domain "123" cannot be all-numeric)'],
  ['["a\\"b.foo.com"]', 'domain name "a\\"b.foo.com" invalid (label "a\\"b" invalid)'],
]);

const PROTOCOLS = 'supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP';
checkRows('ports and binds', 'Gateway', (fields) => server(`${fields}, hosts: [a.test]`), [
  ['port: {number: 80, name: a, protocol: http_proxy}'],
  ['port: {number: 80, name: a, protocol: UDP}'],
  ['port: {number: 80, name: a, protocol: HBONE}', `invalid protocol "HBONE", ${PROTOCOLS}`],
  ['port: {number: 80, name: a}', `invalid protocol "", ${PROTOCOLS}`],
  ['port: {number: 70000, name: a, protocol: HTTP}', 'port number 70000 must be in the range 1..65535'],
  ['port: {number: 80, name: a, protocol: HTTP, targetPort: 1}', 'targetPort has no impact on Gateways'],
  ['port: {number: 80, name: a, protocol: HTTP, targetPort: 0}'],
  ['port: {number: 80, protocol: HTTP}', 'port name must be set: number:80 protocol:"HTTP"'],
  ['bind: 10.0.0.1', 'port is required'],
  [`${PORT}, bind: 010.0.0.1`, '010.0.0.1 is not a valid IP'],
  [`${PORT}, bind: "fe80::1%eth0"`],
  [`${PORT}, bind: 10.0.0.0/8`, '10.0.0.0/8 is not a valid IP'],
  [`${PORT}, bind: unix:///a`, 'port number must be 0 for unix domain socket: number:80 protocol:"HTTP" name:"http"'],
  ['port: {number: 0, name: a, protocol: HTTP}, bind: unix://', 'unix address must not be empty'],
  ['port: {number: 0, name: a, protocol: HTTP}, bind: unix://a', 'a is not an absolute path to a file'],
  ['port: {number: 0, name: a, protocol: HTTP}, bind: unix:///a/', '/a/ is not an absolute path to a file'],
  ['port: {number: 0, name: a, protocol: HTTP}, bind: "unix://@a"'],
]);

const IGNORED = 'W PASSTHROUGH mode does not use certificates, they will be ignored';
const TWO_SOURCES =
  'only one of credential_name, credential_names, server_certificate/private_key, tls_certificates should be specified';
checkRows('tls of an HTTPS server', 'Gateway', (tls) => server(`${SECURE}, tls: ${tls}`), [
  ['{}'],
  ['{credentialName: c}', IGNORED],
  ['{mode: PASSTHROUGH, caCrl: /c}', IGNORED],
  ['{mode: SIMPLE}', 'SIMPLE TLS requires a server certificate', 'SIMPLE TLS requires a private key'],
  ['{mode: MUTUAL, serverCertificate: /c, privateKey: /k}', 'MUTUAL TLS requires a client CA bundle'],
  ['{mode: MUTUAL, credentialName: c}'],
  ['{mode: SIMPLE, credentialNames: [a, b]}'],
  ['{mode: SIMPLE, credentialName: c, caCrl: /crl}'],
  ['{mode: SIMPLE, credentialName: c, tlsCertificates: [{serverCertificate: /c, privateKey: /k}]}', TWO_SOURCES],
  ['{mode: SIMPLE, tlsCertificates: [{serverCertificate: /c}]}', 'SIMPLE TLS requires a private key'],
  ['{credentialName: c, credentialNames: [c]}', TWO_SOURCES, IGNORED],
  [
    '{credentialName: c, caCrl: /c}',
    'CRL is not supported with credentialName. CRL has to be specified in the credential',
    IGNORED,
  ],
  [
    '{mode: ISTIO_MUTUAL, serverCertificate: c, privateKey: k, caCertificates: a, tlsCertificates: [{}], credentialName: n, credentialNames: [n]}',
    ...['server certificate', 'private key', 'CA bundle', 'tlsCertificates', 'credentialName', 'credentialNames'].map(
      (word) => `ISTIO_MUTUAL TLS cannot have associated ${word}`,
    ),
  ],
  [
    '{mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_1}',
    'W TLS version below TLSV1_2 require setting compatible ciphers as by default they no longer include compatible ciphers.',
  ],
  ['{mode: SIMPLE, credentialName: c, cipherSuites: [ALL, "-RC4", "", "[AES128-SHA|AES256-SHA]"]}'],
  [
    '{mode: SIMPLE, credentialName: c, cipherSuites: [b, aes128-sha, a]}',
    'W ignoring invalid cipher suites: [a aes128-sha b]',
  ],
]);

checkRows('tls and protocol', 'Gateway', (fields) => server(`${fields}, hosts: [a.test]`), [
  ['port: {number: 443, name: a, protocol: TLS}', 'server must have TLS settings for HTTPS/TLS protocols'],
  [`${PORT}, tls: {httpsRedirect: true}`],
  [`${PORT}, tls: {mode: AUTO_PASSTHROUGH}`],
  [`${PORT}, tls: {mode: SIMPLE, credentialName: c}`, 'server cannot have TLS settings for plain text HTTP ports'],
  [`${PORT}, tls: {privateKey: /k}`, 'server cannot have TLS settings for plain text HTTP ports', IGNORED],
  ['port: {number: 80, name: a, protocol: MONGO}, tls: {}', 'server cannot have TLS settings for non HTTPS/TLS ports'],
  ['port: {number: 0, name: a, protocol: TLS}', 'port number 0 must be in the range 1..65535'],
  [
    'port: {number: 443, name: a, protocol: TLS}, tls: {mode: PASSTHROUGH, httpsRedirect: true}',
    'W tls.httpsRedirect should only be used with http servers',
  ],
]);

t.test('the whole', async (t) => {
  t.same(said('Gateway', '{}'), ['gateway must have at least one server']);
  t.same(said('Gateway', hosts('[a.test]'), '{name: my.gw}'), ['invalid gateway name: "my.gw"']);
  t.same(said('Gateway', '{servers: [null]}'), ['server config must contain at least one host', 'port is required']);
  t.same(said('Gateway', hosts('[a.test]'), '{name: x, annotations: {internal.istio.io/parents: a}}'), [
    '"internal.istio.io/parents" annotation found, this may not be set by users',
  ]);
});
