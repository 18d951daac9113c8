// The YAML dialect of Kubernetes' loader (spec validation.md §8.2), durations and places in the text.
import t from 'tap';
import { parseDuration } from '../../src/config/duration.js';
import { decodeText } from '../../src/config/yaml/encoding.js';
import { LineIndex } from '../../src/config/yaml/line-index.js';
import { parseYaml } from '../../src/config/yaml/parse.js';
import { resolvePlain } from '../../src/config/yaml/scalar.js';
import { spanAt, toPlain } from '../../src/config/yaml/tree.js';

t.test('what unquoted words mean', async (t) => {
  const words: readonly (readonly [unknown, string])[] = [
    [true, 'y Y yes Yes YES on On ON true True TRUE'],
    [false, 'n N no No NO off Off OFF false False FALSE'],
    [null, '~ null Null NULL'],
    [15, '017 0o17 0xF 0XF 0b1111 15 +15 1_5 15. 15.0 1.5e1 0_17'],
    [-15, '-15 -017 -0xf -0b1111'],
    [0, '0 +0 -0 0.0 00'],
    [1000, '1e3 1_000 1E+3'],
    [8, '08 08.0'],
    [0.5, '.5 0.5 5e-1'],
    [Number.POSITIVE_INFINITY, '.inf +.INF'],
  ];
  for (const [want, list] of words) for (const word of list.split(' ')) t.equal(resolvePlain(word), want, word);
  const texts =
    'tRue yEs nULL 12:30:45 1:2 2026-01-02 2026-01-02T03:04:05Z 0x 0b 0b2 0xg nan inf = 1,000 1.2.3 1e - + . _1 1a v1 10.0.0.1 +.5.';
  for (const word of texts.split(' ')) t.equal(resolvePlain(word), word, `${word} is text`);
});

const plain = (text: string): unknown =>
  parseYaml(text).map(({ root }) => (root === undefined ? undefined : toPlain(root)));

t.test('documents', async (t) => {
  t.same(plain('a: 1\n---\nb: 2\n'), [{ a: 1 }, { b: 2 }]);
  t.same(plain('---\n# only this\n---\n\n--- # with a word\na: 1'), [{ a: 1 }]);
  t.same(plain('a: |\n  ---\n  x\n'), [{ a: '---\nx\n' }], 'an indented separator is text');
  t.same(plain('a: 1\n---b: 2'), [{ a: 1, '---b': 2 }], 'a line that only begins like one is none');
  t.same(plain('"a": "yes"\nb: \'on\'\nc: !!str 5\nd: !!int "5"\ne: !!binary aGk='), [
    { a: 'yes', b: 'on', c: '5', d: 5, e: 'hi' },
  ]);
  t.same(
    plain('200: a\ntrue: b\noff: c\n1_0: d'),
    [{ '10': 'd', '200': 'a', true: 'b', false: 'c' }],
    'keys become text',
  );
  t.same(plain('p: &x {a: 1, b: 2}\nq: {<<: *x, b: 3}\nr: {b: 4, <<: [{c: 5}, *x]}'), [
    { p: { a: 1, b: 2 }, q: { a: 1, b: 3 }, r: { a: 1, b: 4, c: 5 } },
  ]);
  t.same(plain('{"a": [1, 2, {"b": null}],\n\t"c": "\\u00fc"}'), [{ a: [1, 2, { b: null }], c: 'ü' }]);
  t.same(plain('a:\nb: ""'), [{ a: null, b: '' }]);
  t.same(plain('{"a": "}{"}\n{"b": [{}]} {"c": 1}\n'), [{ a: '}{' }, { b: [{}] }, { c: 1 }], 'JSON needs no separator');
  t.same(plain('{a: b}\n# {c: d}\n'), [{ a: 'b' }]);
  t.same(plain(''), []);
});

t.test('no document is beyond its limits', async (t) => {
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  t.equal(parseYaml(nested(150))[0]?.problems.length, 0);
  t.match(parseYaml(nested(201))[0]?.problems, [{ kind: 'syntax', reason: 'nested more than 200 levels deep' }]);
  const wide = `x: &x [${'1,'.repeat(1000)}]\ny: [${'*x,'.repeat(1000)}]`;
  t.equal(parseYaml(wide)[0]?.problems.length, 0, 'a million nodes through aliases are still read');
  const quoted = parseYaml('a: "BEGIN PRIVATE KEY\n')[0]?.problems;
  t.notMatch(JSON.stringify(quoted), /PRIVATE/, 'problems do not quote the text');
  t.notMatch(JSON.stringify(parseYaml('a: b\n"BEGIN PRIVATE KEY"\n')[0]?.problems), /PRIVATE/);
});

t.test('places', async (t) => {
  const text = 'a:\n  - b: one\n    c: {d: "two"}\n  - three\ne: |\n  four\n';
  const root = parseYaml(`# first\n---\n${text}`)[0]?.root;
  const lines = new LineIndex(`# first\n---\n${text}`);
  const at = (...path: (string | number)[]): string => {
    if (root === undefined) return '';
    const span = spanAt(root, path);
    const { line, column } = lines.position(span.start);
    return `${line}:${column}+${span.end - span.start}`;
  };
  t.equal(at('a', 0, 'b'), '4:8+3');
  t.equal(at('a', 0, 'c'), '5:5+1', 'the key of a map');
  t.equal(at('a', 0, 'c', 'd'), '5:12+5');
  t.equal(at('a', 1), '6:5+5');
  t.equal(at('a', 7, 'x'), '3:1+1', 'the nearest that is there');
  t.equal(at('e'), '7:1+1', 'the key of a block');
  t.same(
    [0, 8, 11, 12, 13].map((offset) => lines.position(offset)),
    [
      { line: 1, column: 1 },
      { line: 2, column: 1 },
      { line: 2, column: 4 },
      { line: 3, column: 1 },
      { line: 3, column: 2 },
    ],
  );
});

t.test('durations', async (t) => {
  const rows: readonly (readonly [string, number | undefined])[] = [
    ['1.5s', 1500],
    ['1m30s', 90_000],
    ['100ms', 100],
    ['1h', 3_600_000],
    ['0', 0],
    ['0s', 0],
    ['-1s', -1000],
    ['+2s', 2000],
    ['1h2m3s4ms', 3_723_004],
    ['.5s', 500],
    ['5.s', 5000],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1000000ns', 1],
    ['0.1s0.2s', 300],
    ['', undefined],
    ['5', undefined],
    ['1d', undefined],
    ['5 s', undefined],
    ['s', undefined],
    ['-', undefined],
    ['1s ', undefined],
    ['1S', undefined],
    ['1e3s', undefined],
    ['.s', undefined],
    ['1.5', undefined],
  ];
  for (const [text, want] of rows) t.equal(parseDuration(text), want, `'${text}'`);
});

t.test('bytes', async (t) => {
  t.equal(decodeText(Buffer.from('\uFEFFa: ü')), '\uFEFFa: ü');
  t.equal(decodeText(Buffer.from('\uFEFFa: ü\n', 'utf16le')), 'a: ü\n', 'what PowerShell writes');
  t.equal(decodeText(Buffer.from('\uFEFFa: ü\n', 'utf16le').swap16()), 'a: ü\n');
  t.equal(decodeText(Buffer.from('x: \uFFFD')), 'x: \uFFFD', 'the replacement character may be meant');
  const problemOf = (bytes: Uint8Array): unknown => parseYaml(decodeText(bytes)).flatMap(({ problems }) => problems)[0];
  const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  t.match(problemOf(latin1('a: 1\n# caf\xe9\n')), { span: { start: 10 }, reason: 'invalid UTF-8 octet 0xe9' });
  t.match(problemOf(Buffer.concat([Buffer.from('# \uFFFD\na: '), latin1('\xff')])), { span: { start: 7 } });
  t.match(problemOf(latin1('{"a": "\xe9"}')), { reason: 'invalid UTF-8 octet 0xe9' });
  t.match(problemOf(Buffer.from('a: "x\x01"')), { span: { start: 5 }, reason: 'control characters are not allowed' });
  t.match(problemOf(Buffer.from('# \x7f')), { reason: 'control characters are not allowed' });
  t.match(problemOf(Buffer.from('a: \u0080')), { reason: 'control characters are not allowed' });
  t.equal(problemOf(Buffer.from('{"a": "\x7f"}')), undefined, 'JSON allows it');
  t.equal(problemOf(Buffer.from('a: "\u0085\u00a0\u{1f600}\t"\r\n')), undefined);
  t.equal(parseYaml(decodeText(latin1('a: \xe9\n---\nb: 1')))[1]?.problems.length, 0, 'its neighbours are read');
});
