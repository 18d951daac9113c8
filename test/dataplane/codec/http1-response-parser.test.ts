// The response parser, fed whole, in two pieces at every position, and byte by byte: all three must agree
// (spec dataplane.md §5.3).
import t from 'tap';
import { type ExpectedResponse, Http1ResponseParser } from '../../../src/dataplane/codec/http1/response-parser.js';

interface Outcome {
  readonly events: readonly string[];
  readonly verdict: string;
  readonly keepAlive: boolean;
}

const PLAIN: ExpectedResponse = { head: false, upgrade: false };

function parse(pieces: readonly string[], expected: ExpectedResponse, closes: boolean): Outcome {
  const events: string[] = [];
  let body = '';
  const flush = (): void => {
    if (body !== '') events.push(`data ${body}`);
    body = '';
  };
  const parser = new Http1ResponseParser({
    onInformational: (status, headers) => events.push(`${status} ${headers.join('|')}`),
    onHead: (status, headers, endStream) => events.push(`head ${status} ${headers.join('|')} ${endStream}`),
    onData: (chunk) => {
      body += chunk.toString('latin1');
    },
    onEnd: () => {
      flush();
      events.push('end');
    },
  });
  parser.expect(expected);
  let verdict = 'ok';
  for (const piece of pieces) {
    verdict = parser.push(Buffer.from(piece, 'latin1'));
    if (verdict !== 'ok') break;
  }
  if (closes && verdict === 'ok') verdict = parser.end();
  flush();
  return { events, verdict, keepAlive: parser.keepAlive };
}

function check(
  name: string,
  bytes: string,
  want: Partial<Outcome>,
  options: { expected?: ExpectedResponse; closes?: boolean } = {},
): void {
  t.test(name, (t) => {
    const { expected = PLAIN, closes = false } = options;
    const whole = parse([bytes], expected, closes);
    for (const [key, value] of Object.entries(want)) t.same(whole[key as keyof Outcome], value, key);
    for (let split = 1; split < bytes.length; split++) {
      const parts = parse([bytes.slice(0, split), bytes.slice(split)], expected, closes);
      if (JSON.stringify(parts) !== JSON.stringify(whole)) t.same(parts, whole, `split at ${split}`);
    }
    t.same(parse([...bytes], expected, closes), whole, 'byte by byte');
    t.end();
  });
}

check('length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello', {
  events: ['head 200 content-length|5|x-a|b false', 'data hello', 'end'],
  verdict: 'ok',
  keepAlive: true,
});
check(
  'chunked with extensions and trailers',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n00A \r\n0123456789\r\n0\r\nx-t: 1\r\n\r\n',
  {
    events: ['head 200 transfer-encoding|Chunked false', 'data hello0123456789', 'end'],
    verdict: 'ok',
    keepAlive: true,
  },
);
check(
  'until the end of the connection',
  'HTTP/1.1 200 OK\r\n\r\nabc',
  { events: ['head 200  false', 'data abc', 'end'], verdict: 'complete', keepAlive: false },
  { closes: true },
);
check('1xx before the response', 'HTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 204 X\r\n\r\n', {
  events: ['103 link|a', 'head 204  true', 'end'],
});
check(
  'HEAD',
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n',
  { events: ['head 200 content-length|5 true', 'end'] },
  { expected: { head: true, upgrade: false } },
);
check('304 keeps its length', 'HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n', {
  events: ['head 304 content-length|5 true', 'end'],
});
check(
  '101 opens a tunnel',
  'HTTP/1.1 101 X\r\nupgrade: websocket\r\n\r\nraw',
  { events: ['head 101 upgrade|websocket false', 'data raw'], keepAlive: false },
  { expected: { head: false, upgrade: true } },
);
check('101 that nobody asked for', 'HTTP/1.1 101 X\r\n\r\n', { events: ['head 101  true', 'end'], keepAlive: false });
check('bare LF, no reason, HTTP/2.0', 'HTTP/2.0 200\ncontent-length: 2\n\nok', {
  events: ['head 200 content-length|2 false', 'data ok', 'end'],
});
check('bare LF head before a body with an empty line', 'HTTP/1.1 200 OK\ncontent-length: 8\n\na\r\n\r\nbcd', {
  events: ['head 200 content-length|8 false', 'data a\r\n\r\nbcd', 'end'],
});
check('folded line', 'HTTP/1.1 200 OK\r\nx-a: one\r\n  two\r\ncontent-length: 0\r\n\r\n', {
  events: ['head 200 x-a|one  two|content-length|0 true', 'end'],
});
check('HTTP/1.0 is not kept alive', 'HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n', { keepAlive: false });
check('HTTP/1.0 keep-alive', 'HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n', {
  keepAlive: true,
});
check('connection: close', 'HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 0\r\n\r\n', {
  keepAlive: false,
});
check('four digits', 'HTTP/1.1 2000 X\r\ncontent-length: 0\r\n\r\n', {
  events: ['head 2000 content-length|0 true', 'end'],
});
check('bytes behind the response', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokmore', {
  events: ['head 200 content-length|2 false', 'data ok', 'end'],
  verdict: 'unexpected',
});
check('cut body', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab', { verdict: 'cut' }, { closes: true });
check(
  'cut chunked body',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab',
  { verdict: 'cut' },
  { closes: true },
);
check('cut head', 'HTTP/1.1 200 OK\r\ncont', { events: [], verdict: 'cut' }, { closes: true });

for (const [name, bytes] of Object.entries({
  text: 'hello there',
  'HTTP/2 bytes': '\0\0\x12\x04\0\0\0\0\0',
  'two digits': 'HTTP/1.1 20 X\r\n\r\n',
  'below 100': 'HTTP/1.1 099 X\r\n\r\n',
  'no colon': 'HTTP/1.1 200 OK\r\nnope\r\n\r\n',
  'blank before the colon': 'HTTP/1.1 200 OK\r\nx : 1\r\n\r\n',
  'bad name': 'HTTP/1.1 200 OK\r\nx(: 1\r\n\r\n',
  'control character': 'HTTP/1.1 200 OK\r\nx: \x01\r\n\r\n',
  'two equal lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n',
  'length list': 'HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n',
  'negative length': 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
  'length and chunked': 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
  'gzip coding': 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n',
  '204 with a length': 'HTTP/1.1 204 X\r\ncontent-length: 1\r\n\r\n',
  '103 chunked': 'HTTP/1.1 103 X\r\ntransfer-encoding: chunked\r\n\r\n',
  'chunk size': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
  'chunk size of 68 bits': `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n`,
  '101 lines': `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(101)}\r\n`,
})) {
  check(`refused: ${name}`, bytes, { verdict: 'malformed' });
}

t.test('a head over 80 KiB is refused, also while it grows', (t) => {
  t.equal(parse([`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(82_000)}\r\n\r\n`], PLAIN, false).verdict, 'malformed');
  t.equal(
    parse([`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(41_000)}`, 'a'.repeat(42_000)], PLAIN, false).verdict,
    'malformed',
  );
  t.end();
});
