// Contract files as they are read: every mistake at its place, the published schema of one mind with the decoder, lists
// multiplied.
import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import t from 'tap';
import { parse } from 'yaml';
import { CONTRACT_SHAPE } from '../../src/contract/contract-shape.js';
import { decodeContract } from '../../src/contract/decode-contract.js';
import { toJsonSchema } from '../../src/contract/shape.js';

const SCHEMA_FILE = 'config/contract.schema.json';
const HEAD = 'contract: v1\nconfig: istio/\n';
const TEST = '- { name: a, request: { url: https://a.test/ }, expect: { status: 200 } }\n';

function checkMistakes(text: string): string[] {
  return decodeContract('x.contract.yaml', text).diagnostics.map(
    ({ code, origin, message, help }) =>
      `${origin?.line}:${origin?.column} ${code} ${message}${help === undefined ? '' : ` [${help}]`}`,
  );
}

/** `schema`: whether the JSON Schema takes it; what only the decoder sees is 'blind'. */
const MISTAKES: readonly {
  readonly text: string;
  readonly want: readonly (string | RegExp)[];
  readonly schema: 'refuses' | 'blind';
}[] = [
  {
    text: 'kind: Gateway\napiVersion: v1\n',
    want: [/^1:1 PST1001 .*an Istio or Kubernetes object/],
    schema: 'refuses',
  },
  { text: '', want: [/PST1001/], schema: 'refuses' },
  {
    text: `contract: v2\nconfig: a\ntests:\n${TEST}`,
    want: [/^1:11 PST1003 contract: expected one of v1, found "v2"/],
    schema: 'refuses',
  },
  { text: `contract: v1\ntests:\n${TEST}`, want: [/^1:1 PST1004 config is missing/], schema: 'refuses' },
  { text: `${HEAD}tests: []\n`, want: [/^3:8 PST1006/], schema: 'blind' },
  { text: HEAD, want: [/^1:1 PST1004 tests is missing/], schema: 'refuses' },
  {
    text: `${HEAD}tests:\n${TEST}testz: 1\n`,
    want: ['5:1 PST1002 testz: unknown key "testz" [did you mean `tests`?]'],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/, hedaers: {} }\n  expect: { status: 200 }\n`,
    want: [/^5:36 PST1002 tests\[0\]\.request\.hedaers: .*did you mean `headers`/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/ }\n  expect: { status: 700, eror: x }\n`,
    want: [/^6:21 PST1003 .*status.*found 700/, /^6:26 PST1002 .*did you mean `error`/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/ }\n  expect: { error: no_rute }\n`,
    want: [/^6:20 PST1003 .*no_filter_chain.*found "no_rute"/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/ }\n  expect: { headers: { x: { prefx: a } } }\n`,
    want: [/^6:27 PST1003 tests\[0\]\.expect\.headers\.x: expected a value, a matcher/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/ }\n  expect: { body: { regex: "(" } }\n`,
    want: [/^6:28 PST1010 .*missing closing \)/, /PST1007/],
    schema: 'blind',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: a.test }\n  expect: { status: 200 }\n`,
    want: [/^5:19 PST1003 .*a URL/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: "https://a.test/", method: "A B" }\n  expect: { status: 200 }\n`,
    want: [/^5:46 PST1009 .*no method/],
    schema: 'blind',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/ }\n`,
    want: [/^4:9 PST1007 test "a" expects nothing/],
    schema: 'blind',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  expect: { status: 200 }\n`,
    want: [/^4:9 PST1008 .*needs `request` or `requests`/],
    schema: 'blind',
  },
  {
    text: `${HEAD}clients: { a: { generate: { signedBy: self } } }\ntests:\n${TEST}`,
    want: ['3:12 PST1012 client "a" is used by no test'],
    schema: 'blind',
  },
  {
    text: `${HEAD}clients: { a: { generate: { signedBy: me } } }\ntests:\n${TEST}`,
    want: [/^3:39 PST1003 .*one of self, gateway/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}clients: { a: { cert: a.crt } }\ntests:\n${TEST}`,
    want: [/^3:12 PST1004 clients\.a\.key is missing/],
    schema: 'blind',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  request: { url: https://a.test/, client: [none, bob] }\n  expect: { status: 200 }\n`,
    want: [/^5:19 PST1011 client "bob" is not declared/],
    schema: 'blind',
  },
  { text: `${HEAD}upstreams: { "a b": {} }\ntests:\n${TEST}`, want: [/^3:14 PST1013/], schema: 'blind' },
  {
    text: `${HEAD}upstreams: { a.test: { respond: { delay: soon } } }\ntests:\n${TEST}`,
    want: [/^3:42 PST1003 .*milliseconds/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}config: b\ntests:\n${TEST}`,
    want: [/^3:1 PST1005 key "config" is already set in line 2/],
    schema: 'blind',
  },
  { text: `${HEAD}tests: [\n`, want: [/PST0101/], schema: 'blind' },
  {
    text: `${HEAD}tests:\n- name: a\n  connection: shared\n  requests:\n  - { url: https://a.test/ }\n`,
    want: [/^7:5 PST1004 .*requests\[0\]\.expect is missing/],
    schema: 'refuses',
  },
  {
    text: `${HEAD}tests:\n- name: a\n  connection: shared\n  requests:\n  - { url: https://a.test/, expect: { status: 200 } }\n  - { url: http://a.test/, expect: { status: 200 } }\n  - { url: https://b.test/, sni: b.test, expect: { status: 200 } }\n`,
    want: [/^8:12 PST1008 scheme and port of a shared connection/, /^9:12 PST1008 `sni`/],
    schema: 'blind',
  },
  { text: `${HEAD}gateway: { allowUnemulated: 3 }\ntests:\n${TEST}`, want: [/^3:29 PST1003/], schema: 'refuses' },
];

t.test('every mistake has its place', async (t) => {
  for (const { text, want } of MISTAKES) {
    const found = checkMistakes(text);
    t.equal(found.length, want.length, `${text}\n${found.join('\n')}`);
    for (const [index, expected] of want.entries()) t.match(found[index], expected, text);
  }
  t.strictSame(checkMistakes(`${HEAD}tests:\n${TEST}`), []);
});

t.test('the published schema says what the decoder says', async (t) => {
  const schema = toJsonSchema(CONTRACT_SHAPE, 'postern contract file');
  if (process.env['UPDATE_SCHEMA'] !== undefined)
    writeFileSync(SCHEMA_FILE, `${JSON.stringify(schema, undefined, 2)}\n`);
  t.strictSame(JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')), schema, 'run this test with UPDATE_SCHEMA=1 to write it');
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema);
  for (const { text, schema: judgement } of MISTAKES) {
    if (judgement === 'blind') continue;
    t.notOk(validate(parse(text)), text);
  }
  for (const file of ['examples/contract-tests/shop.contract.yaml', 'test/contract/interface.contract.yaml']) {
    t.ok(validate(parse(readFileSync(file, 'utf8'))), `${file}: ${JSON.stringify(validate.errors)}`);
    t.strictSame(checkMistakes(readFileSync(file, 'utf8')), []);
  }
});

t.test('lists multiply', async (t) => {
  const decode = (request: string): readonly string[] => {
    const text = `${HEAD}clients: { bob: { generate: { signedBy: self } } }\ntests:\n- name: a\n  request: { client: bob, ${request} }\n  expect: { status: 200 }\n`;
    const { contract, diagnostics } = decodeContract('x.contract.yaml', text);
    t.strictSame(diagnostics, []);
    return (contract?.tests ?? []).map(
      ({ name, steps }) =>
        `${name} ${steps.map(({ options, client = 'none' }) => `${client} ${JSON.stringify(options)}`).join()}`,
    );
  };
  t.strictSame(decode('url: https://a.test/'), ['a bob {}']);
  t.strictSame(
    decode('url: [https://a.test/, http://b.test/], method: [GET, POST]').map((line) => line.replace(/\].*/, ']')),
    [
      'a [url=https://a.test/ method=GET]',
      'a [url=https://a.test/ method=POST]',
      'a [url=http://b.test/ method=GET]',
      'a [url=http://b.test/ method=POST]',
    ],
  );
  t.strictSame(
    decode('url: https://a.test/, alpn: [h2, http/1.1]'),
    ['a bob {"alpn":["h2","http/1.1"]}'],
    'protocols are one value',
  );
  t.strictSame(decode('url: https://a.test/, alpn: [[h2], []]'), [
    'a [alpn=h2] bob {"alpn":["h2"]}',
    'a [alpn=] bob {"alpn":[]}',
  ]);
  t.strictSame(
    decode('url: https://a.test/, headers: { x: [a, 1, on] }'),
    ['a bob {"headers":{"x":["a","1","on"]}}'],
    'a header sent several times',
  );
  t.strictSame(decode('url: https://a.test/, headers: [{ x: 1 }, {}]'), [
    'a [headers=#1] bob {"headers":{"x":"1"}}',
    'a [headers=#2] bob {"headers":{}}',
  ]);
  t.strictSame(decode('url: https://a.test/, tls: false, sni: "", version: [TLSv1.0, HTTP/2]'), [
    'a [version=TLSv1.0] bob {"sni":"","plaintext":true,"tlsVersion":"TLSv1"}',
    'a [version=HTTP/2] bob {"sni":"","http2":true,"plaintext":true}',
  ]);
});
