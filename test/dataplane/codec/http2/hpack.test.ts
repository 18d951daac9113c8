// Header compression: the examples of RFC 7541 appendix C, every split of a block, round trips against the replay's own
// decoder (an independent reading), and what is malformed.
import fc from 'fast-check';
import t from 'tap';
import { HpackDecoder } from '../../../../src/dataplane/codec/http2/hpack-decoder.js';
import { HpackEncoder, lineBound } from '../../../../src/dataplane/codec/http2/hpack-encoder.js';
import { decodeHuffman, encodeHuffman, huffmanLength } from '../../../../src/dataplane/codec/http2/huffman.js';
import { HpackDecoder as OtherDecoder } from '../../../golden/client/hpack.js';

type Lines = readonly (readonly [string, string])[];

/** The lines of the blocks one after the other, each pushed in the given pieces; undefined where one is malformed. */
function decode(blocks: readonly (readonly Buffer[])[], tableSize = 4096): (string[] | undefined)[] {
  const decoder = new HpackDecoder(tableSize);
  return blocks.map((pieces) => {
    const lines: string[] = [];
    const sink = {
      onField: ({ name, value }: { name: string; value: string }) => {
        lines.push(`${name}: ${value}`);
        return true;
      },
    };
    const fine = pieces.every((piece, i) => decoder.push(piece, i === pieces.length - 1, sink));
    return fine ? lines : undefined;
  });
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

const WWW = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
const CUSTOM = [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com'];
const DATE = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const PLACE = 'location: https://www.example.com';
const RESPONSES = [
  [':status: 302', 'cache-control: private', DATE, PLACE],
  [':status: 307', 'cache-control: private', DATE, PLACE],
  [
    ':status: 200',
    'cache-control: private',
    DATE.replace(':21 GMT', ':22 GMT'),
    PLACE,
    'content-encoding: gzip',
    'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
  ],
];

/** name, blocks of one connection, what they say, table size. */
const VECTORS: readonly (readonly [string, readonly string[], readonly (readonly string[])[], number])[] = [
  ['C.2.1', ['400a637573746f6d2d6b65790d637573746f6d2d686561646572'], [['custom-key: custom-header']], 4096],
  ['C.2.2', ['040c2f73616d706c652f70617468'], [[':path: /sample/path']], 4096],
  ['C.2.3', ['100870617373776f726406736563726574'], [['password: secret']], 4096],
  ['C.2.4', ['82'], [[':method: GET']], 4096],
  [
    'C.3',
    [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    [WWW, [...WWW, 'cache-control: no-cache'], [...CUSTOM, 'custom-key: custom-value']],
    4096,
  ],
  [
    'C.4',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    [WWW, [...WWW, 'cache-control: no-cache'], [...CUSTOM, 'custom-key: custom-value']],
    4096,
  ],
  [
    'C.5',
    [
      '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
    RESPONSES,
    256,
  ],
  [
    'C.6',
    [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
    RESPONSES,
    256,
  ],
];

t.test('the examples of RFC 7541, whole and in two pieces at every place', async (t) => {
  for (const [name, blocks, expected, size] of VECTORS) {
    t.same(
      decode(
        blocks.map((block) => [hex(block)]),
        size,
      ),
      expected,
      name,
    );
    for (let at = 0; at <= hex(blocks[0] as string).length; at++) {
      const cut = blocks.map((block) => [hex(block).subarray(0, at), hex(block).subarray(at)]);
      t.same(decode(cut, size), expected, `${name} cut at ${at}`);
    }
    const bytewise = blocks.map((block) => [...hex(block)].map((byte) => Buffer.from([byte])));
    t.same(decode(bytewise, size), expected, `${name} byte by byte`);
  }
});

t.test('malformed blocks', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['80', 'index 0'],
    ['be', 'an index that nothing stands at'],
    ['7f', 'an index that breaks off'],
    ['ffffffffffffffffffffff', 'an index without end'],
    ['3fe21f', 'a table larger than allowed'],
    ['823fe11f', 'a size update behind a line'],
    ['0005616263', 'a name that is cut'],
    ['000161ff', 'a value whose length is cut'],
    ['0084ffffffff0161', 'the end of string within a string'],
    ['00821fff0161', 'more than seven bits of padding'],
    ['008200000161', 'padding that is not ones'],
    ['40', 'nothing behind the first byte'],
  ];
  for (const [block, name] of cases) t.same(decode([[hex(block)]]), [undefined], name);
  t.same(decode([[hex('80')], [hex('82')]]), [undefined, undefined], 'after that nothing is legal');
  const long = Buffer.concat([hex('007f82ff03'), Buffer.alloc(65_537, 'a')]);
  t.same(decode([[long]]), [undefined], 'a name of 65,537 bytes');
  t.same(decode([[hex('3fe11f82')]]), [[':method: GET']], 'a size update in front is legal');
  t.same(decode([[hex('2082')]]), [[':method: GET']], 'a table of nothing');
});

t.test('Huffman code: all bytes, both ways', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
      const text = Buffer.from(raw).toString('latin1');
      const out = Buffer.alloc(huffmanLength(text) + 8);
      const end = encodeHuffman(text, out, 0);
      return end === huffmanLength(text) && decodeHuffman(out, 0, end) === text;
    }),
    { numRuns: 300 },
  );
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1');
  const out = Buffer.alloc(huffmanLength(every));
  encodeHuffman(every, out, 0);
  t.equal(decodeHuffman(out, 0, out.length), every);
});

const names = fc.constantFrom(
  ':path',
  'x-a',
  'x-b',
  'cookie',
  'server',
  'content-length',
  'authorization',
  'date',
  'b',
);
const values = fc.oneof(
  fc.constantFrom('', 'a', 'istio-envoy', '/', '4'),
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
);
const lists = fc.array(fc.tuple(names, values), { maxLength: 12 });

/** Blocks of a connection as our encoder writes them; `sizes` are table sizes that the peer asks for in between. */
function encode(blocks: readonly Lines[], sizes: readonly number[]): Buffer[] {
  const encoder = new HpackEncoder();
  return blocks.map((lines, i) => {
    const size = sizes[i];
    if (size !== undefined) encoder.setMaxTableSize(size);
    const out = Buffer.alloc(lines.reduce((sum, [name, value]) => sum + lineBound(name, value), 12));
    let at = encoder.beginBlock(out, 0);
    for (const [name, value] of lines) at = encoder.write(name, value, out, at);
    return out.subarray(0, at);
  });
}

t.test('what the encoder writes, both decoders read', async () => {
  fc.assert(
    fc.property(
      fc.array(lists, { maxLength: 8 }),
      fc.array(fc.constantFrom(0, 64, 200, 4096, 65_536)),
      (blocks, sizes) => {
        const written = encode(blocks, sizes);
        const ours = decode(written.map((block) => [block]));
        const other = new OtherDecoder();
        blocks.forEach((lines, i) => {
          const expected = lines.map(([name, value]) => `${name}: ${value}`);
          const theirs = [...other.decode(written[i] as Buffer)].map(([name, value]) => `${name}: ${value}`);
          if (JSON.stringify(ours[i]) !== JSON.stringify(expected)) throw new Error(`ours: ${ours[i]}`);
          if (JSON.stringify(theirs) !== JSON.stringify(expected)) throw new Error(`theirs: ${theirs}`);
        });
      },
    ),
    { numRuns: 200 },
  );
});

t.test('a head that repeats costs a byte a line', async (t) => {
  const head: Lines = [
    [':status', '200'],
    ['server', 'istio-envoy'],
    ['x-powered-by', 'something'],
  ];
  const [first, second] = encode([head, head], []);
  t.ok((first as Buffer).length > 20);
  t.equal((second as Buffer).length, 3);
});

t.test('random bytes are lines or malformed, and never more than that', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (pieces) => {
      decode([pieces.map((piece) => Buffer.from(piece))]);
    }),
    { numRuns: 500 },
  );
});
