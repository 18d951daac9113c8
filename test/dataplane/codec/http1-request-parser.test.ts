// The request parser against what Envoy does (http1-*-verdicts.ts), fed whole, in two pieces at every position, and byte by
// byte: all must agree. Then random mutations of the same messages: whatever is let through can be read in one way only.
import fc from 'fast-check';
import t from 'tap';
import { Http1RequestParser, type ParsedHead } from '../../../src/dataplane/codec/http1/request-parser.js';
import { judgeHttp1Head, MAX_HEAD_BYTES } from '../../../src/filters/http1-head.js';
import { codecError } from '../../../src/filters/local-reply.js';
import { CHUNKS } from './http1-chunk-verdicts.js';
import { FRAMING } from './http1-framing-verdicts.js';
import { HEADS } from './http1-head-verdicts.js';

interface Passed {
  readonly head: ParsedHead;
  body: string;
  complete: boolean;
}

interface Parsed {
  readonly outcomes: readonly string[];
  readonly passed: readonly Passed[];
}

function parse(pieces: readonly string[]): Parsed {
  const outcomes: string[] = [];
  const passed: Passed[] = [];
  let current: Passed | undefined;
  let isOver = false;
  const finish = (): void => {
    if (current !== undefined) outcomes.push(`${current.head.facts.method} ${current.body.length}`);
    current = undefined;
    parser.next();
  };
  const parser = new Http1RequestParser(
    { isTls: false, acceptsHttp10: false },
    {
      onBegin: () => true,
      onHead: (head) => {
        const judged = judgeHttp1Head(head.facts, undefined);
        if (typeof judged === 'string') return judged;
        current = { head, body: '', complete: head.body === 'none' };
        passed.push(current);
        if (head.facts.method === 'CONNECT') outcomes.push('CONNECT');
        else if (head.body === 'none') finish();
        return undefined;
      },
      onHeadError: (error) => {
        isOver = true;
        outcomes.push(`${codecError(error).status} ${error}`);
      },
      onData: (chunk) => {
        if (current !== undefined) current.body += chunk.toString('latin1');
      },
      onEnd: () => {
        if (current !== undefined) current.complete = true;
        finish();
      },
      onBodyError: (error) => {
        isOver = true;
        const { method } = (current as Passed).head.facts;
        outcomes.push(`${method} ${current?.body.length} ${codecError(error).status} ${error}`);
      },
    },
  );
  for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'));
  if (!isOver && current !== undefined && current.head.body !== 'raw') {
    outcomes.push(`${current.head.facts.method} ${current.body.length} incomplete`);
  } else if (!isOver && parser.isInMessage && current === undefined) {
    outcomes.push('incomplete');
  }
  return { outcomes, passed };
}

/**
 * What may depend on the pieces: how much of a body has been read when it turns out bad; and whether a forbidden character
 * is named, for which Envoy looks in a whole head, or what it does to the request line, which is judged when it is there.
 */
function settled(outcomes: readonly string[]): string {
  return outcomes
    .join()
    .replace(/\d+ (\d\d\d http1)/, '$1')
    .replace('http1.invalid_characters', 'http1.codec_error');
}

t.test('verdicts of Envoy, at every split', (t) => {
  for (const [name, bytes, wanted] of [...HEADS, ...FRAMING, ...CHUNKS]) {
    const { outcomes } = parse([bytes]);
    // A connection refused or closed says nothing of what came behind.
    const isOver = wanted.length < outcomes.length && /^CONNECT$/.test(wanted[0] as string);
    t.same(isOver ? outcomes.slice(0, wanted.length) : outcomes, wanted, name);
    for (let split = 1; split < bytes.length; split++) {
      const parts = parse([bytes.slice(0, split), bytes.slice(split)]).outcomes;
      if (settled(parts) !== settled(outcomes)) t.same(parts, outcomes, `${name}, split at ${split}`);
    }
    const single = parse([...bytes]).outcomes;
    if (settled(single) !== settled(outcomes)) t.same(single, outcomes, `${name}, byte by byte`);
  }
  t.end();
});

t.test('what is read', (t) => {
  const rows: [name: string, head: string, headers: string[], host?: string][] = [
    ['fold', 'X-A: one\r\n two\r\n', ['x-a', 'one two']],
    ['fold with a tab', 'X-A: one\r\n\ttwo\r\n', ['x-a', 'one\ttwo']],
    ['folds around blanks', 'X-A:\r\n one  \r\n  two\r\n \r\n', ['x-a', 'one    two']],
    ['CR in a value', 'X-A: \ra\r\rb\r\r\n', ['x-a', 'ab']],
    ['a colon in a continuation', 'X-A: 1\r\n X-B: 2\r\n', ['x-a', '1 X-B: 2']],
    ['empty values', 'X-A:\r\nX-B: \t \r\n', ['x-a', '', 'x-b', '']],
    ['names in lower case, lines apart', 'X-A: 1\r\nx-a: 2\r\n', ['x-a', '1', 'x-a', '2']],
    ['names that JavaScript knows', '__proto__: 1\r\nconstructor: 2\r\n', ['__proto__', '1', 'constructor', '2']],
    ['high bytes', 'X-A: \xe9\x80\r\n', ['x-a', '\xe9\x80']],
    ['Host twice', 'Host: a\r\nX-A: 1\r\nHost: b\r\n', ['x-a', '1'], 'a,b'],
    ['an empty Host before another', 'Host:\r\nHost: b\r\n', [], 'b'],
  ];
  for (const [name, head, headers, host] of rows) {
    for (const end of ['\r\n', '\n']) {
      const { passed } = parse([`GET / HTTP/1.1\r\n${head}${end}`]);
      t.same(passed[0]?.head.headers, headers, name);
      t.equal(passed[0]?.head.facts.host, host, name);
    }
  }
  t.end();
});

t.test('sizes', (t) => {
  const start = 'GET / HTTP/1.1\r\nhost: a\r\nx: ';
  const sized = (bytes: number): string => `${start}${'a'.repeat(bytes - start.length - 4)}\r\n\r\n`;
  const post = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n';
  const trailers = (bytes: number): string => `${post}0\r\nx: ${'a'.repeat(bytes - 7)}\r\n\r\n`;
  const rows: [name: string, bytes: string, outcome: string][] = [
    ['60 KiB', sized(MAX_HEAD_BYTES), 'GET 0'],
    ['a byte more', sized(MAX_HEAD_BYTES + 1), '431 http1.headers_too_large'],
    ['60 KiB without an end', `${start}${'a'.repeat(MAX_HEAD_BYTES - start.length)}`, 'incomplete'],
    ['a byte more', `${start}${'a'.repeat(MAX_HEAD_BYTES - start.length + 1)}`, '431 http1.headers_too_large'],
    ['a long line', `GET /${'a'.repeat(MAX_HEAD_BYTES)}`, '431 http1.headers_too_large'],
    ['blanks count', `${start}${' '.repeat(61_500)}a\r\n\r\n`, '431 http1.headers_too_large'],
    ['empty lines before do not', `${'\r\n'.repeat(40_000)}GET / HTTP/1.1\r\nhost: a\r\n\r\n`, 'GET 0'],
    ['100 lines', `GET / HTTP/1.1\r\nhost: a\r\n${'x: 1\r\n'.repeat(99)}\r\n`, 'GET 0'],
    ['101 lines', `GET / HTTP/1.1\r\nhost: a\r\n${'x: 1\r\n'.repeat(100)}\r\n`, '431 http1.too_many_headers'],
    ['continuations are no lines', `GET / HTTP/1.1\r\nhost: a\r\n${'x: 1\r\n 2\r\n'.repeat(60)}\r\n`, 'GET 0'],
    ['trailers of 60 KiB', trailers(MAX_HEAD_BYTES), 'POST 2'],
    ['a byte more', trailers(MAX_HEAD_BYTES + 1), 'POST 2 431 http1.headers_too_large'],
    ['101 trailers', `${post}0\r\n${'x: 1\r\n'.repeat(101)}\r\n`, 'POST 2'],
    ['a chunk extension of any length', `${post}2;${'a'.repeat(70_000)}\r\nhi\r\n0\r\n\r\n`, 'POST 4'],
  ];
  for (const [name, bytes, outcome] of rows) {
    t.same(parse([bytes]).outcomes, [outcome], name);
    t.same(parse(bytes.match(/[\s\S]{1,1000}/g) ?? []).outcomes, [outcome], `${name}, in pieces`);
  }
  t.end();
});

/** The request as it goes upstream: one framing, no odd bytes. */
function canonical({ head, body }: Passed): string {
  const lines = [`${head.facts.method} ${head.facts.target} HTTP/1.1`, `host: ${head.facts.host ?? ''}`];
  for (let i = 0; i < head.headers.length; i += 2) {
    const name = head.headers[i] as string;
    if (name !== 'transfer-encoding' && name !== 'content-length') lines.push(`${name}: ${head.headers[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

t.test('mutations: split anywhere they read the same, and what passes reads in one way only', (t) => {
  const corpus = [...HEADS, ...FRAMING, ...CHUNKS].filter(([, bytes]) => bytes.length < 200).map(([, bytes]) => bytes);
  const odd = fc.constantFrom(
    ...'\r\n\t :;,\0\x0b\x7f\x80\xff0aF-+/*?#@"',
    '\r\n',
    '\r\n ',
    '0\r\n\r\n',
    'chunked',
    ': ',
  );
  const message = fc
    .tuple(
      fc.constantFrom(...corpus),
      fc.array(fc.tuple(fc.nat(200), fc.nat(2), odd), { maxLength: 4 }),
      fc.option(fc.constantFrom(...corpus), { nil: '' }),
    )
    .map(([bytes, edits, more]) => {
      let text = bytes;
      for (const [at, cut, put] of edits) text = text.slice(0, at) + put + text.slice(at + cut);
      return text + more;
    });
  fc.assert(
    fc.property(message, fc.array(fc.nat(400), { maxLength: 6 }), (bytes, cuts) => {
      const whole = parse([bytes]);
      const edges = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const parts = parse(edges.slice(1).map((end, i) => bytes.slice(edges[i], end)));
      if (settled(parts.outcomes) !== settled(whole.outcomes)) {
        throw new Error(`${JSON.stringify(bytes)}: ${whole.outcomes.join()} or, cut, ${parts.outcomes.join()}`);
      }
      for (const request of whole.passed) {
        const { facts, headers } = request.head;
        if (facts.transferEncoding !== undefined && facts.contentLength !== undefined) throw new Error('two framings');
        for (const text of [facts.target, facts.host ?? '', ...headers]) {
          if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) throw new Error(`control character in ${JSON.stringify(text)}`);
        }
        if (!request.complete || request.head.body === 'raw') continue;
        const again = parse([canonical(request)]).passed;
        if (again.length !== 1 || again[0]?.body !== request.body) {
          throw new Error(`${JSON.stringify(bytes)} reads again as ${again.length} requests`);
        }
      }
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 2000) },
  );
  t.end();
});
