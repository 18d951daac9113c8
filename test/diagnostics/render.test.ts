// Diagnostics as text and JSON, and what a code frame must never show.
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { codeFrame } from '../../src/diagnostics/code-frame.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import {
  diagnosticToJson,
  renderDiagnostic,
  renderDiagnostics,
  summarizeDiagnostics,
} from '../../src/diagnostics/render.js';

const TEXT = `kind: Gateway
spec:
  servers:
  - tls:
      credentialName: shop-tls
\tx: y
`;

const diagnostic: Diagnostic = {
  code: 'IST0101',
  severity: 'error',
  message: 'Referenced credentialName not found: "shop-tls"',
  origin: { file: 'gateway.yaml', line: 5, column: 23, endLine: 5, endColumn: 31, resource: 'Gateway/shop/public' },
  label: 'looked for Secret istio-system/shop-tls',
  help: 'add that Secret to the loaded files',
};

function check(name: string, changes: Partial<Diagnostic>, want: string, text: string | undefined = TEXT): void {
  t.equal(
    renderDiagnostic({ ...diagnostic, ...changes }, () => text),
    want,
    name,
  );
}

const { origin, label: _label, help: _help, ...bare } = diagnostic;
const place = origin ?? { file: '', line: 0, column: 0 };

check(
  'code, place, frame, label and help',
  {},
  `gateway.yaml:5:23 - error IST0101: Referenced credentialName not found: "shop-tls"
5 |       credentialName: shop-tls
  |                       ^^^^^^^^ looked for Secret istio-system/shop-tls
  = help: add that Secret to the loaded files`,
);
t.equal(
  renderDiagnostic(
    { ...bare, origin: { ...place, line: 10 } },
    () => `${'\n'.repeat(9)}                      shop-tls  `,
  ),
  `gateway.yaml:10:23 - error IST0101: Referenced credentialName not found: "shop-tls"
10 |                       shop-tls
   |                       ^^^^^^^^`,
  'the end of another line is not this one’s end',
);
t.equal(
  renderDiagnostic(bare, () => TEXT),
  'error IST0101: Referenced credentialName not found: "shop-tls"',
  'no place',
);
t.equal(
  renderDiagnostic({ ...bare, help: 'look', origin: { ...place, line: 99 } }, () => TEXT),
  'gateway.yaml:99:23 - error IST0101: Referenced credentialName not found: "shop-tls"\n  = help: look',
  'a line that is gone has no frame',
);
t.match(
  renderDiagnostic({ ...bare, origin: { file: 'g', line: 6, column: 2, endLine: 6, endColumn: 3 } }, () => TEXT),
  '6 |  x: y\n  |  ^',
  'a tab is one column',
);
t.match(
  renderDiagnostic({ ...bare, origin: { file: 'g', line: 3, column: 3, endLine: 5, endColumn: 4 } }, () => TEXT),
  '3 |   servers:\n  |   ^^^^^^^^',
  'a span of many lines is underlined in its first',
);
t.match(
  renderDiagnostic(diagnostic, () => `\uFEFF${TEXT.replaceAll('\n', '\r\n')}`),
  '5 |       credentialName: shop-tls\n',
  'CRLF',
);
const long = renderDiagnostic(
  { ...bare, origin: { file: 'g', line: 1, column: 501, endLine: 1, endColumn: 505, resource: 'Gateway/a/b' } },
  () => `${'a'.repeat(500)}here${'b'.repeat(500)}`,
);
t.match(long.split('\n')[1], /^1 \| …a+hereb+…$/, 'a long line is cut around the place');
t.equal(long.split('\n')[1]?.indexOf('here'), long.split('\n')[2]?.indexOf('^^^^'));
t.notMatch(
  renderDiagnostic({ ...bare, message: 'a\u001b[31mb', origin: { ...place, line: 1, column: 1 } }, () => '\u001b[2J'),
  '\u001b',
  'nothing a terminal obeys',
);
t.match(
  renderDiagnostic(diagnostic, () => TEXT, { color: true }),
  '\u001b[1;31merror\u001b[0m',
);

t.equal(renderDiagnostics([], []), '');
t.match(
  renderDiagnostics([diagnostic, { ...bare, severity: 'warning' }], [{ file: 'gateway.yaml', text: TEXT }]),
  /files\n\nwarning IST0101: .*\n$/s,
);
t.equal(
  summarizeDiagnostics([diagnostic, diagnostic, { ...bare, severity: 'warning' }, { ...bare, severity: 'info' }]),
  '2 errors, 1 warning',
);
t.same(diagnosticToJson({ ...diagnostic, refusedBy: 'schema' }), {
  code: 'IST0101',
  severity: 'error',
  message: 'Referenced credentialName not found: "shop-tls"',
  file: 'gateway.yaml',
  line: 5,
  column: 23,
  resource: 'Gateway/shop/public',
  refusedBy: 'schema',
});
t.same(diagnosticToJson(bare), { code: 'IST0101', severity: 'error', message: bare.message });

// --- secrets ---------------------------------------------------------------------------------------------------------

const KEY = 'LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVNDCg==';
const PEM =
  '-----BEGIN PRIVATE KEY-----\n    MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n    aGVsbG8gd29ybGQ+/hunter2xyz=\n    -----END PRIVATE KEY-----';
const secret = (rest: string): string => `apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: a}\n${rest}\n`;

const LEAKS: Readonly<Record<string, string>> = {
  'not base64': secret(`data:\n  tls.key: ${KEY}!`),
  'not base64, flow style': secret(`data: {tls.crt: aGk=, tls.key: "${KEY}!"}`),
  'the wrong type': secret(`data:\n  tls.key: [${KEY}]`),
  'an unknown field': secret(`dta: {tls.key: ${KEY}}`),
  'a key twice': secret(`data:\n  tls.key: ${KEY}\n  tls.key: ${KEY}`),
  'broken before the key': secret(`data:\n  - tls.key: ${KEY}\n  b: c`),
  'an unclosed quote': secret(`stringData:\n  password: "hunter2xyz`),
  'a broken block': secret(`stringData:\n  tls.key: |\n    ${PEM}\n   bad: hunter2xyz\n`),
  'broken, in JSON': `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"data":{"tls.key":"${KEY}"}`,
  'a neighbour in a minified List': `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"k":"${KEY}"}},{"apiVersion":"networking.istio.io/v1","kind":"Gateway","metadata":{"name":"g"},"spec":{"servrs":[]}}]}`,
  'text that is no YAML at all': `a: b\n${KEY}\n`,
  'a PEM file by mistake': `a: b\n: : ${PEM}`,
  'items of a SecretList': `apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: s}\n  stringData: {k: [hunter2xyz]}\n- metadata: {name: s}\n  stringData: {k: hunter2xyz, k: hunter2xyz}\n`,
  'the name is missing': `apiVersion: v1\nkind: Secret\nmetadata: {}\nstringData: {k: hunter2xyz}\n`,
  'the same Secret twice, on one line': `{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: hunter2xyz}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: hunter2xyz}}`,
};

for (const [name, text] of Object.entries(LEAKS)) {
  const { diagnostics } = loadConfig([{ file: 's.yaml', text, named: true }]);
  t.ok(diagnostics.length > 0, `${name}: something is said`);
  const shown = renderDiagnostics(diagnostics, [{ file: 's.yaml', text }]) + JSON.stringify(diagnostics);
  t.notMatch(shown, /LS0tLS|MIIEv|hunter2|BEGIN PRIVATE|aGVsbG8/, name);
}

t.match(
  renderDiagnostics(
    loadConfig([{ file: 's.yaml', text: LEAKS['not base64, flow style'] ?? '', named: true }]).diagnostics,
    [{ file: 's.yaml', text: LEAKS['not base64, flow style'] ?? '' }],
  ),
  /4 \| data: \{tls\.crt: \*{4}, tls\.key: \*+\}\n {2}\| {32}\^+ not base64/,
  'keys and columns stay readable',
);

t.test('a line of a megabyte is shown where it counts, without what may be a key', async (t) => {
  const text = `a: "${'Ab1'.repeat(300_000)}", b: short`;
  const frame = codeFrame([text], { file: 'a', line: 1, column: text.length - 4, resource: 'Gateway/a/b' });
  t.match(frame?.text, /\*{40}", b: short$/);
  const secret = codeFrame([text], { file: 'a', line: 1, column: text.length - 4, resource: 'Secret/a/b' });
  t.notMatch(secret?.text, /short/);
});
