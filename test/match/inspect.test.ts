// The parsers that are fed bytes: every recorded hello, every prefix, every split, and bytes that nobody would send.
import t from 'tap';
import { helloDefectAlert } from '../../src/match/inspect/hello-defect.js';
import { ProxyProtocolParser } from '../../src/match/inspect/proxy-protocol.js';
import {
  type InspectOutcome,
  MAX_CLIENT_HELLO_BYTES,
  printableServerName,
  TlsInspector,
} from '../../src/match/inspect/tls-inspector.js';
import { loadGoldenCases } from '../decide/golden-calls.js';
import { decodeEscapes, goldenRoot } from '../golden/support.js';
import { clientHello } from '../support/client-hello.js';
import { randomNumbers } from '../support/random.js';

interface Wanted {
  readonly outcome: InspectOutcome;
  readonly serverName?: string;
  readonly alpn?: readonly string[];
  readonly failure?: string;
}

/** The one door: bytes in any pieces, one answer. */
function checkInspector(name: string, bytes: Uint8Array, want: Wanted): void {
  for (const [how, pieces] of [
    ['at once', [bytes]],
    ['byte by byte', Array.from(bytes, (byte) => Uint8Array.of(byte))],
  ] as const) {
    const inspector = inspectPieces(pieces);
    const got = {
      outcome: inspector.outcome,
      serverName: inspector.parser.serverName,
      alpn: inspector.parser.alpn,
      failure: inspector.parser.failureReason,
    };
    t.match(got, want, `${name}, ${how}`);
  }
}

function inspectPieces(pieces: readonly Uint8Array[]): {
  readonly outcome: InspectOutcome;
  readonly parser: TlsInspector;
} {
  const parser = new TlsInspector();
  let outcome: InspectOutcome = 'needMore';
  for (const piece of pieces) {
    outcome = parser.push(piece);
    if (outcome !== 'needMore') break;
  }
  return { outcome, parser };
}

const failure = (code: string, reason: string) =>
  `TLS_error|error:${code}:SSL_routines:OPENSSL_internal:${reason}:TLS_error_end`;
const text = (value: string) => Buffer.from(value, 'latin1');

const usual = clientHello({ serverName: 'Shop.Example.com', alpn: ['h2', 'http/1.1'] });
const name = 'shop.example.com';

checkInspector('usual hello', usual, { outcome: 'hello', serverName: name, alpn: ['h2', 'http/1.1'], failure: '' });
checkInspector('post-quantum size', clientHello({ serverName: name, padTo: 1800 }), {
  outcome: 'hello',
  serverName: name,
});
checkInspector('over records of one byte', clientHello({ serverName: name, recordSize: 1 }), {
  outcome: 'hello',
  serverName: name,
});
checkInspector('no name', clientHello({}), { outcome: 'hello', serverName: '', alpn: [] });
checkInspector('four bytes', text('GET '), { outcome: 'needMore' });
checkInspector('GET', text('GET / HTTP/1.1\r\n\r\n'), {
  outcome: 'notTls',
  failure: failure('1000009c', 'HTTP_REQUEST'),
});
checkInspector('PUT', text('PUT / '), { outcome: 'notTls', failure: failure('1000009c', 'HTTP_REQUEST') });
checkInspector('CONNECT', text('CONNECT a:1'), {
  outcome: 'notTls',
  failure: failure('1000009b', 'HTTPS_PROXY_REQUEST'),
});
checkInspector('DELETE', text('DELETE / '), {
  outcome: 'notTls',
  failure: failure('100000f7', 'WRONG_VERSION_NUMBER'),
});
checkInspector('long record', Buffer.from('160301ffff', 'hex'), {
  outcome: 'notTls',
  failure: failure('10000092', 'ENCRYPTED_LENGTH_TOO_LONG'),
});
checkInspector('application data', Buffer.from('170303000168', 'hex'), {
  outcome: 'notTls',
  failure: failure('100000e1', 'UNEXPECTED_RECORD'),
});
checkInspector('fatal alert', Buffer.from('15030100020230', 'hex'), {
  outcome: 'notTls',
  failure: failure('10000418', 'TLSV1_ALERT_UNKNOWN_CA'),
});
checkInspector('close_notify', Buffer.from('15030100020100', 'hex'), { outcome: 'refused', failure: '' });
for (const legacyVersion of [0x0200, 0x0300, 0x0305, 0x0403, 0xfefd]) {
  checkInspector(`legacy version ${legacyVersion.toString(16)}`, clientHello({ serverName: name, legacyVersion }), {
    outcome: 'refused',
    failure: '',
  });
}
for (const legacyVersion of [0x0301, 0x0302, 0x0304]) {
  checkInspector(`legacy version ${legacyVersion.toString(16)}`, clientHello({ serverName: name, legacyVersion }), {
    outcome: 'hello',
    serverName: name,
  });
}
const encryptedHello = (data: string) => clientHello({ serverName: name, more: [[0xfe0d, Buffer.from(data, 'hex')]] });
checkInspector('an outer encrypted hello', encryptedHello('0000010001070001aa0002bbbb'), {
  outcome: 'hello',
  serverName: name,
});
for (const [what, data] of [
  ['of no bytes', ''],
  ['cut off', '000000'],
  ['with a byte too much', '0000010001070001aa0002bbbb00'],
] as const) {
  checkInspector(`an encrypted hello ${what}`, encryptedHello(data), {
    outcome: 'notTls',
    serverName: '',
    failure: failure('10000089', 'DECODE_ERROR'),
  });
}
checkInspector('an encrypted hello of another kind', encryptedHello('02'), { outcome: 'hello', serverName: name });
t.match(inspectPieces([clientHello({ serverName: name, tail: Buffer.of(11) })]).parser, {
  defect: 'excess_handshake_data',
  failureReason: failure('100000ff', 'EXCESS_HANDSHAKE_DATA'),
});
checkInspector('33 empty records', Buffer.alloc(5 * 33, Buffer.from('1603010000', 'hex')), {
  outcome: 'notTls',
  failure: failure('100000db', 'TOO_MANY_EMPTY_FRAGMENTS'),
});
checkInspector('hello that announces 17 KiB', Buffer.from('160301000401004400', 'hex'), {
  outcome: 'notTls',
  failure: failure('10000096', 'EXCESSIVE_MESSAGE_SIZE'),
});
checkInspector('hello of the limit', clientHello({ serverName: name, padTo: MAX_CLIENT_HELLO_BYTES }), {
  outcome: 'hello',
  serverName: name,
});
checkInspector('one byte more', clientHello({ serverName: name, padTo: MAX_CLIENT_HELLO_BYTES + 1 }), {
  outcome: 'tooLarge',
});

t.test('every prefix waits, every split gives the same answer', (t) => {
  const hellos = [
    usual,
    clientHello({ serverName: name, padTo: 1800 }),
    clientHello({ serverName: name, recordSize: 40 }),
  ];
  for (const hello of hellos) {
    let waits = true;
    let same = true;
    for (let n = 0; n < hello.length; n++) {
      waits &&= new TlsInspector().push(hello.subarray(0, n)) === 'needMore';
      const split = inspectPieces([hello.subarray(0, n), hello.subarray(n)]);
      same &&= split.outcome === 'hello' && split.parser.serverName === name;
    }
    t.ok(waits, `${hello.length} bytes: prefixes`);
    t.ok(same, `${hello.length} bytes: splits`);
  }
  t.end();
});

t.test('names in the log', (t) => {
  t.equal(printableServerName('a-b_c.example.com'), 'a-b_c.example.com');
  t.equal(printableServerName('b\xc3\xbccher.example.com'), 'invalid:b__cher.example.com');
  t.equal(printableServerName('2001:db8::7'), 'invalid:2001_db8__7');
  t.end();
});

t.test('facts for a terminating chain', (t) => {
  const parser = new TlsInspector();
  parser.push(usual);
  const details = parser.details();
  t.match(details, {
    legacyVersion: 0x0303,
    supportedVersions: [0x0304, 0x0303],
    hasKeyShare: true,
    hasNullCompression: true,
    alpn: 'valid',
  });
  t.same(details?.cipherSuites, [0x1301, 0x1302, 0xc02b, 0xc02f]);
  t.end();
});

t.test('random and mutated bytes give one of the declared outcomes', (t) => {
  const random = randomNumbers(7);
  const seen = new Set<InspectOutcome>();
  const bases = [usual, clientHello({ serverName: name, recordSize: 30 }), text('GET / HTTP/1.1\r\n')];
  const started = process.hrtime.bigint();
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(bases[round % bases.length] as Buffer);
    for (let k = 0; k < 1 + (round % 4); k++) bytes[random(bytes.length)] = random(256);
    const cut = random(bytes.length);
    const whole = inspectPieces([bytes]);
    const split = inspectPieces([bytes.subarray(0, cut), bytes.subarray(cut)]);
    if (
      whole.outcome !== split.outcome ||
      whole.parser.serverName !== split.parser.serverName ||
      whole.parser.failureReason !== split.parser.failureReason
    ) {
      t.fail(`split at ${cut} differs: ${bytes.toString('hex')}`);
      break;
    }
    seen.add(whole.outcome);
  }
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(Array.from({ length: random(80) }, () => random(256)));
    seen.add(inspectPieces([bytes]).outcome);
  }
  const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
  t.ok(seen.has('hello') && seen.has('notTls') && seen.has('needMore'), [...seen].join(' '));
  t.ok(milliseconds < 20_000, `${Math.round(milliseconds)} ms`);
  t.end();
});

t.test('one-byte records cost linear time', (t) => {
  const hello = clientHello({ serverName: name, padTo: 2700, recordSize: 1 });
  const parser = new TlsInspector();
  let outcome: InspectOutcome = 'needMore';
  for (const byte of hello) outcome = parser.push(Uint8Array.of(byte));
  t.equal(outcome, hello.length <= MAX_CLIENT_HELLO_BYTES ? 'hello' : 'tooLarge');
  t.end();
});

t.test('recorded hellos', (t) => {
  let calls = 0;
  for (const golden of loadGoldenCases(goldenRoot())) {
    if (!golden.name.startsWith('sni/hello-')) continue;
    for (const [i, call] of golden.calls.entries()) {
      const recorded = golden.recorded[i];
      if (call.send === undefined || recorded === undefined) continue;
      calls++;
      const bytes = text(decodeEscapes((call.before ?? '') + call.send));
      const { outcome, parser } = inspectPieces([bytes]);
      const label = `${golden.name} ${call.name}`;
      const log = recorded.log?.[0];
      if (log !== undefined) {
        t.ok(outcome === 'hello' || outcome === 'notTls', label);
        t.equal(parser.failureReason, log.downstream_tls_failure ?? '', `${label}: failure`);
        t.equal(printableServerName(parser.serverName), log.sni ?? '', `${label}: name`);
        continue;
      }
      // Without a line: it waits, is reset before a chain is chosen, or a terminating chain has answered with an alert.
      const received = recorded.tcp?.received ?? '';
      if (recorded.tcp?.open === true) t.equal(outcome, 'needMore', label);
      else if (received === '') t.ok(outcome === 'refused' || outcome === 'tooLarge', label);
      else t.equal(outcome, 'hello', label);
    }
  }
  t.ok(calls > 50, `${calls} calls`);
  t.end();
});

t.test('alerts of a catch-all chain', (t) => {
  t.equal(helloDefectAlert('clienthello_parse_failed'), 50);
  t.equal(helloDefectAlert('unacceptable_server_name'), 112);
  t.equal(helloDefectAlert('unexpected_record'), 10);
  t.equal(helloDefectAlert('encrypted_length_too_long'), 22);
  t.equal(helloDefectAlert('wrong_version_number'), 70);
  t.equal(helloDefectAlert('http_request'), 0);
  t.end();
});

interface WantedProxy {
  readonly outcome: 'needMore' | 'header' | 'malformed';
  readonly source?: { readonly address: string; readonly port: number } | undefined;
  readonly destination?: { readonly address: string; readonly port: number };
  readonly consumed?: number;
}

function checkProxy(label: string, bytes: Uint8Array, want: WantedProxy): void {
  for (const pieces of [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))]) {
    const parser = new ProxyProtocolParser();
    let outcome: WantedProxy['outcome'] = 'needMore';
    for (const piece of pieces) {
      outcome = parser.push(piece);
      if (outcome !== 'needMore') break;
    }
    const got = { outcome, source: parser.source, destination: parser.destination, consumed: parser.consumed };
    t.match(got, want, `PROXY ${label}, ${pieces.length} pieces`);
  }
}

const v2 = (rest: string) => Buffer.from(`0d0a0d0a000d0a515549540a${rest}`, 'hex');

checkProxy('v1', text('PROXY TCP4 203.0.113.7 198.51.100.1 51000 8080\r\nGET'), {
  outcome: 'header',
  source: { address: '203.0.113.7', port: 51_000 },
  destination: { address: '198.51.100.1', port: 8080 },
  consumed: 48,
});
checkProxy('v1 over IPv6', text('PROXY TCP6 2001:db8::7 ::1 1 2\r\n'), {
  outcome: 'header',
  source: { address: '2001:db8::7', port: 1 },
});
checkProxy('v1 UNKNOWN', text('PROXY UNKNOWN\r\nx'), { outcome: 'header', source: undefined, consumed: 15 });
checkProxy('v1 UNKNOWN with addresses', text('PROXY UNKNOWN ff::1 ff::2 1 2\r\n'), {
  outcome: 'header',
  source: undefined,
});
checkProxy('v1 lower case', text('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n'), { outcome: 'malformed' });
checkProxy('v1 bad address', text('PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n'), { outcome: 'malformed' });
checkProxy('v1 leading zero', text('PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n'), { outcome: 'malformed' });
checkProxy('v1 bad port', text('PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n'), { outcome: 'malformed' });
checkProxy('v1 UDP4', text('PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n'), { outcome: 'malformed' });
checkProxy('v1 line too long', text(`PROXY UNKNOWN ${'x'.repeat(120)}\r\n`), { outcome: 'malformed' });
checkProxy('v1 signed port', text('PROXY TCP4 1.2.3.4 1.2.3.4 +123 2\r\n'), {
  outcome: 'header',
  source: { address: '1.2.3.4', port: 123 },
});
checkProxy('v1 blank at the end', text('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n'), { outcome: 'header' });
checkProxy('v1 two blanks', text('PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n'), { outcome: 'malformed' });
for (const address of ['0.0.0.0', '255.255.255.255', '224.0.0.1']) {
  checkProxy(`v1 from ${address}`, text(`PROXY TCP4 ${address} 1.2.3.4 1 2\r\n`), { outcome: 'malformed' });
}
checkProxy('v2 from nowhere', v2('2111000c00000000c6336401c7381f90'), { outcome: 'malformed' });
checkProxy('v2 with half a field behind', v2('2111000dcb007107c6336401c7381f9004'), { outcome: 'malformed' });
checkProxy('v2 with a field that is too long', v2('2111000fcb007107c6336401c7381f90040001'), { outcome: 'malformed' });
checkProxy('missing', text('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), { outcome: 'malformed' });
checkProxy('missing, TLS', usual, { outcome: 'malformed' });
checkProxy('v2', v2('2111000ccb007107c6336401c7381f90'), {
  outcome: 'header',
  source: { address: '203.0.113.7', port: 51_000 },
  destination: { address: '198.51.100.1', port: 8080 },
  consumed: 28,
});
checkProxy('v2 with fields behind', v2('2111000fcb007107c6336401c7381f90040000'), { outcome: 'header', consumed: 31 });
checkProxy('v2 UDP', v2('2112000ccb007107c6336401c7381f90'), {
  outcome: 'header',
  source: { address: '203.0.113.7', port: 51_000 },
});
checkProxy('v2 LOCAL', v2('20000000'), { outcome: 'header', source: undefined, consumed: 16 });
checkProxy(
  'v2 IPv6',
  v2(`21210024${'20010db8000000000000000000000007'}${'00000000000000000000000000000001'}c7381f90`),
  {
    outcome: 'header',
    source: { address: '2001:db8::7', port: 51_000 },
    destination: { address: '::1', port: 8080 },
  },
);
checkProxy('v2 unix', v2('213100d8'), { outcome: 'malformed' });
checkProxy('v2 short address', v2('2111000b'), { outcome: 'malformed' });
checkProxy('v2 version 3', v2('3111000ccb007107c6336401c7381f90'), { outcome: 'malformed' });
checkProxy('v2 half', v2('2111000ccb0071'), { outcome: 'needMore' });

t.test('mutated PROXY headers give one of the declared outcomes, however they are cut', (t) => {
  const random = randomNumbers(3);
  const bases = [
    text('PROXY TCP4 203.0.113.7 198.51.100.1 51000 8080\r\nGET'),
    v2('2111000ccb007107c6336401c7381f90'),
    v2('20000000'),
  ];
  const read = (pieces: readonly Uint8Array[]) => {
    const parser = new ProxyProtocolParser();
    let outcome = '';
    for (const piece of pieces) outcome = parser.push(piece);
    return JSON.stringify([outcome, parser.source, parser.destination, parser.consumed]);
  };
  const seen = new Set<string>();
  let agree = true;
  for (let round = 0; round < 5000 && agree; round++) {
    const bytes = Buffer.from(bases[round % bases.length] as Buffer);
    for (let k = 0; k < round % 3; k++) bytes[random(bytes.length)] = random(256);
    const cut = random(bytes.length);
    const whole = read([bytes]);
    agree = whole === read([bytes.subarray(0, cut), bytes.subarray(cut)]);
    if (!agree) t.fail(`${bytes.toString('hex')} cut at ${cut}`);
    seen.add(whole.slice(2, 6));
  }
  t.ok(agree);
  t.same([...seen].sort(), ['head', 'malf', 'need']);
  t.end();
});
