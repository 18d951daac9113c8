// RE2 as Envoy uses it: error texts, whole-string match over bytes, RE2's replacement strings.
import t from 'tap';
import { compileRegex, parseSubstitution, toBytes } from '../../src/regex/index.js';

function checkMatch(pattern: string, subject: string, want: boolean): void {
  const regex = compileRegex(pattern);
  t.equal(
    regex.kind === 'regex' ? regex.matches(subject) : regex.message,
    want,
    `/${pattern}/ on ${JSON.stringify(subject)}`,
  );
}

// Whole-string match and dialect (spec dataplane.md §11, virtualservice.md §7.3).
checkMatch('/v[0-9]+', '/v1', true);
checkMatch('/v[0-9]+', '/v1/x', false);
checkMatch('/foo', '/foobar', false);
checkMatch('a|ab', 'ab', true);
checkMatch('', '', true);
checkMatch('.*', 'a\nb', false);
checkMatch('(?s).*', 'a\nb', true);
checkMatch('a$', 'a\n', false);
checkMatch('.', '\r', true);
checkMatch('[^a]', '\n', true);
checkMatch('\\s', '\v', false);
checkMatch('\\s', '\u00a0', false);
checkMatch('\\Q.\\E\\x41', '.A', true);
checkMatch('\\Aab\\z', 'ab', true);
checkMatch('[[:alpha:]]+', 'abC', true);
checkMatch('(?P<n>a)(?<m>b)', 'ab', true);
checkMatch('(?i:a)b', 'Ab', true);
checkMatch('a{,3}', 'a{,3}', true);
// Bytes (measured rows of spec dataplane.md §11): ü in UTF-8 is two of them.
checkMatch('..', toBytes('ü'), true);
checkMatch('ü', toBytes('ü'), true);
checkMatch('.', toBytes('ü'), false);
checkMatch('\\pL+', toBytes('ü'), false);
checkMatch('[äü]', toBytes('ü'), false);
checkMatch('.', '\u00fc', true);
checkMatch('\\pL+', '\u00fc', true);
checkMatch('ü', '\u00fc', false);
checkMatch('[^é]+', toBytes('é'), false);
checkMatch('[^é]+', '\u00e9', true);
checkMatch('\\p{Greek}', toBytes('α'), false);
checkMatch('(?i)Ä', toBytes('ä'), false);
checkMatch('(?i)k', toBytes('\u212a'), false);

function checkError(pattern: string, want: string): void {
  const regex = compileRegex(pattern);
  t.equal(regex.kind === 'error' ? regex.message : 'compiles', want, `/${pattern}/`);
}

checkError('(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`');
checkError('(?<!a)', 'error parsing regexp: invalid named capture: `(?<!a)`');
checkError('\\1', 'error parsing regexp: invalid escape sequence: `\\1`');
checkError('\\C', 'error parsing regexp: invalid escape sequence: `\\C`');
checkError('\\u0041', 'error parsing regexp: invalid escape sequence: `\\u`');
checkError('*', 'error parsing regexp: missing argument to repetition operator: `*`');
checkError('[]', 'error parsing regexp: missing closing ]: `[]`');
checkError('(a', 'error parsing regexp: missing closing ): `(a`');
checkError('a)', 'error parsing regexp: unexpected ): `a)`');
checkError('a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`');
checkError('\\é', 'error parsing regexp: invalid escape sequence: `\\é`');
checkError('a\\', 'error parsing regexp: trailing backslash at end of expression: ``');

for (const [pattern, refusedBy] of [
  ['(', 'webhook'],
  ['\\x{100}', 'envoy'],
  ['\\\\x{100}', undefined],
  ['\\x{ff}', undefined],
  ['[а-я]', undefined],
  ['[ä-ü]', undefined],
  ['[А-а]', undefined],
  ['[¿-À]', undefined],
] as const) {
  const regex = compileRegex(pattern);
  t.equal(regex.kind === 'error' ? regex.refusedBy : undefined, refusedBy, `who refuses /${pattern}/`);
}

function checkReplace(pattern: string, subject: string, substitution: string, want: string): void {
  const regex = compileRegex(pattern);
  t.equal(
    regex.kind === 'regex' ? regex.replaceAll(subject, substitution) : regex.message,
    want,
    `s/${pattern}/${substitution}/ on ${subject}`,
  );
}

// Spec virtualservice.md §9.4.
checkReplace('^/svc/([^/]+)(/.*)$', '/svc/a/b/c', '/x\\2/\\1', '/x/b/c/a');
checkReplace('a', '/a/banana', 'b', '/b/bbnbnb');
checkReplace('z*', '/em', '-', '-/-e-m-');
checkReplace('m*', '/em', '-', '-/-e-');
checkReplace('^a', 'aaa', 'b', 'baa');
checkReplace('x|^a', 'aaxa', 'b', 'baba');
checkReplace('nope', '/a', 'b', '/a');
checkReplace('(a)|(b)', 'ab', '<\\1\\2\\0>', '<aa><bb>');
checkReplace('a', 'a', 'c:\\\\', 'c:\\');
checkReplace('a', 'a', '$1', '$1');
// Envoy does not look at the rewrite string when it loads a route.
checkReplace('a', 'aa', 'x\\1', 'aa');
checkReplace('a', 'aba', 'x\\ny', 'xbx');
checkReplace('a', 'aba', 'x\\', 'xbx');
checkReplace('a', 'aba', '\\n\\1', 'aba');
checkReplace('a', 'a', 'ü', toBytes('ü'));

for (const [text, want] of [
  ['\\2', 'Rewrite schema requests 2 matches, but the regexp only has 1 parenthesized subexpressions.'],
  ['a\\', "Rewrite schema error: '\\' not allowed at end."],
  ['\\n', "Rewrite schema error: '\\' must be followed by a digit or '\\'."],
  ['\\1\\0\\\\2', undefined],
] as const) {
  t.equal(parseSubstitution(text, 1).error, want, `what is wrong with ${text}`);
}

t.test('one object per pattern, and linear time', async (t) => {
  t.equal(compileRegex('/same'), compileRegex('/same'));
  const regex = compileRegex('(a*)*b');
  const started = process.hrtime.bigint();
  t.equal(regex.kind === 'regex' && regex.matches('a'.repeat(20_000)), false);
  t.ok(process.hrtime.bigint() - started < 2_000_000_000n, 'does not backtrack');
});
