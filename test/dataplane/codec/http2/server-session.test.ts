// A client's connection, bytes in and bytes out. What the cases expect is what Envoy 1.40 answered to the same bytes
// (spec dataplane.md §3.9); each is fed whole, byte by byte and in two pieces at every place.
import fc from 'fast-check';
import t from 'tap';
import { ServerSession } from '../../../../src/dataplane/codec/http2/server-session.js';
import { Http2ServerStream } from '../../../../src/dataplane/codec/http2/server-stream.js';
import type { SessionStream } from '../../../../src/dataplane/codec/http2/session-stream.js';
import type { RequestHead } from '../../../../src/dataplane/codec/stream.js';
import { bytes, frame, get, line, PREFACE, post, setting, show, uint32 } from '../../../support/http2-frames.js';

const OPTIONS = { maxConcurrentStreams: 4, streamWindow: 16_777_216, connectionWindow: 25_165_824 };
const HELLO = 'SETTINGS 24, SETTINGS/1 0, WINDOW 25100289';
const START = bytes(PREFACE, frame(4, 0, 0));
const PING = frame(6, 0, 0, '12345678');

/** A session with nothing around it; requests are held, or answered at once. */
class Peer {
  readonly session: ServerSession;
  readonly requests: Http2ServerStream[] = [];
  /** Refusals, ends of streams, and the connection's own. */
  readonly events: string[] = [];
  clock = 0;
  private readonly answers: boolean;

  constructor(answers = false, options = OPTIONS, underscores?: 'REJECT_REQUEST' | 'DROP_HEADER') {
    this.answers = answers;
    this.session = new ServerSession(options, underscores, {
      now: () => this.clock,
      requestFlush: () => {},
      createStream: (id: number, window: number, head: RequestHead) =>
        new Http2ServerStream(id, window, head, this.session, { streamOver: () => {} }, 0),
      onRequest: (stream: SessionStream) => this.onRequest(stream as Http2ServerStream),
      onRefused: (details: string, flag: string) => this.events.push(`${flag} ${details}`),
      onDead: (text: string) => {
        for (const { id, details } of this.session.streams.values()) this.events.push(`#${id} ${details || text}`);
      },
    });
  }

  private onRequest(stream: Http2ServerStream): void {
    this.requests.push(stream);
    const onEnded = stream.onEnded.bind(stream);
    stream.onEnded = (end) => {
      this.events.push(`#${stream.id} ${end.by} ${end.code} ${end.details}`.trim());
      onEnded(end);
    };
    stream.body.resume();
    if (this.answers) stream.respond({ status: 200, headers: [] }, true);
  }

  push(...pieces: readonly Buffer[]): void {
    for (const piece of pieces) this.session.push(piece);
  }

  /** What goes to the client now. */
  take(isBlocked = false): Buffer {
    const parts: Buffer[] = [];
    this.session.flush(parts, isBlocked);
    this.session.flushed();
    return Buffer.concat(parts);
  }
}

interface Case {
  readonly name: string;
  /** Sent and answered before. */
  readonly before?: readonly Buffer[];
  readonly send: readonly Buffer[];
  /** The frames that come back; '' = nothing. */
  readonly reply: string;
  /** Whether the connection is given up. */
  readonly dead?: boolean;
  readonly events?: readonly string[];
}

const HOLD = frame(1, 5, 1, get());
const UPLOAD = frame(1, 4, 1, post());
const FAILED = 'The user callback function failed';
const DPE = `DPE codec_error:${FAILED.replaceAll(' ', '_')}`;
const silent = (
  name: string,
  send: readonly Buffer[],
  before: readonly Buffer[] = [],
  events?: readonly string[],
): Case => ({
  name,
  before,
  send,
  reply: '',
  dead: true,
  ...(events === undefined ? {} : { events }),
});
const goaway = (name: string, send: readonly Buffer[], reply: string, before: readonly Buffer[] = []): Case => ({
  name,
  before,
  send,
  reply: `GOAWAY ${reply}`,
  dead: true,
});
const field = (name: string, ...lines: readonly Buffer[]): Case =>
  silent(name, [frame(1, 5, 1, bytes(...lines))], [], ['DPE http2.invalid.header.field']);
const message = (name: string, ...lines: readonly Buffer[]): Case =>
  silent(name, [frame(1, 5, 1, bytes(...lines))], [], ['DPE http2.violation.of.messaging.rule']);
const head = (method: string, ...more: readonly Buffer[]): Buffer => bytes(line(':method', method), ...more);
const target = (path: string, scheme = 'http'): Buffer =>
  bytes('\x82', line(':path', path), line(':scheme', scheme), line(':authority', 'a'));

const CASES: readonly Case[] = [
  { name: 'PING', send: [PING], reply: 'PING/1' },
  { name: 'unknown frames are ignored', send: [frame(0x42, 255, 7, 'zz'), PING], reply: 'PING/1' },
  { name: 'PRIORITY_UPDATE is ignored', send: [frame(16, 0, 0, uint32(1), 'u=1'), PING], reply: 'PING/1' },
  { name: 'PRIORITY on the connection is ignored', send: [frame(2, 0, 0, uint32(3), '\0'), PING], reply: 'PING/1' },
  { name: 'PRIORITY upon itself is ignored', send: [frame(2, 0, 3, uint32(3), '\0'), PING], reply: 'PING/1' },
  {
    name: 'RST_STREAM of a closed stream',
    before: [HOLD, frame(3, 0, 1, uint32(8))],
    send: [frame(3, 0, 1, uint32(8))],
    reply: '',
  },
  goaway('PRIORITY of three bytes', [frame(2, 0, 1, 'abc')], 'last=0 6'),
  goaway('PING of seven bytes', [frame(6, 0, 0, '1234567')], 'last=0 6'),
  goaway('SETTINGS of five bytes', [frame(4, 0, 0, '12345')], 'last=0 6'),
  goaway('SETTINGS confirmed with content', [frame(4, 1, 0, setting(3, 1))], 'last=0 6'),
  goaway('RST_STREAM of three bytes', [frame(3, 0, 1, 'abc')], 'last=0 6'),
  goaway('GOAWAY of seven bytes', [frame(7, 0, 0, '1234567')], 'last=0 6'),
  goaway('a frame of 16,385 bytes', [bytes('\x00\x40\x01\x06\0\0\0\0\xff')], 'last=0 6 too large frame size'),
  goaway(
    '33 settings',
    [frame(4, 0, 0, ...Array<Buffer>(33).fill(setting(3, 9)))],
    'last=0 11 SETTINGS: too many setting entries',
  ),
  goaway('DATA on the connection', [frame(0, 0, 0, 'abc')], 'last=0 1 DATA: stream_id == 0'),
  goaway('DATA on an idle stream', [frame(0, 0, 1, 'abc')], 'last=0 1 DATA: stream in idle'),
  goaway('DATA behind the end', [frame(0, 1, 1, 'abc')], 'last=1 5 DATA: stream in half-closed(remote)', [HOLD]),
  goaway('DATA with too long a padding', [frame(0, 9, 1, '\xffabc')], 'last=1 1 DATA: invalid padding', [UPLOAD]),
  goaway('HEADERS with too long a padding', [frame(1, 13, 1, '\xff', get())], 'last=0 1 HEADERS: invalid padding'),
  goaway('CONTINUATION of nothing', [frame(9, 4, 1, get())], 'last=0 1 CONTINUATION: unexpected'),
  goaway(
    'CONTINUATION of another stream',
    [frame(1, 1, 1, get()), frame(9, 4, 3)],
    'last=1 1 unexpected non-CONTINUATION frame or stream_id is invalid',
  ),
  { ...goaway('bad compression', [frame(1, 5, 1, '\x80')], 'last=1 9'), events: [DPE] },
  goaway('compression cut off', [frame(1, 5, 1, get(bytes('\0\x05ab')))], 'last=1 9'),
  silent('PING on a stream', [frame(6, 0, 1, '12345678')]),
  silent('SETTINGS on a stream', [frame(4, 0, 1)]),
  silent('SETTINGS confirmed twice', [frame(4, 1, 0)], [frame(4, 1, 0)]),
  silent('ENABLE_PUSH 2', [frame(4, 0, 0, setting(2, 2))]),
  silent('INITIAL_WINDOW_SIZE of 2^31', [frame(4, 0, 0, setting(4, 2 ** 31))]),
  silent('MAX_FRAME_SIZE of 100', [frame(4, 0, 0, setting(5, 100))]),
  silent('ENABLE_CONNECT_PROTOCOL 2', [frame(4, 0, 0, setting(8, 2))]),
  silent('RST_STREAM of an idle stream', [frame(3, 0, 1, uint32(8))]),
  silent('RST_STREAM of the connection', [frame(3, 0, 0, uint32(8))]),
  silent('WINDOW_UPDATE of an idle stream', [frame(8, 0, 1, uint32(8))]),
  silent('WINDOW_UPDATE of nothing', [frame(8, 0, 0, uint32(0))]),
  silent('WINDOW_UPDATE beyond 2^31', [frame(8, 0, 0, uint32(0x7fffffff))]),
  silent(
    'WINDOW_UPDATE of nothing on a stream',
    [frame(8, 0, 1, uint32(0))],
    [HOLD],
    ['#1 http2.unknown.nghttp2.error'],
  ),
  silent('PUSH_PROMISE', [frame(5, 4, 1, uint32(2), get())], [HOLD], ['#1 http2.unknown.nghttp2.error']),
  silent('GOAWAY naming a stream that we never opened', [frame(7, 0, 0, uint32(1), uint32(0))]),
  silent('GOAWAY on a stream', [frame(7, 0, 1, uint32(0), uint32(0))]),
  silent('an even stream id', [frame(1, 5, 2, get())]),
  silent('a stream that depends on itself', [frame(1, 0x25, 1, uint32(1), '\0', get())]),
  silent('HEADERS behind the end', [frame(1, 5, 1, get())], [HOLD], ['#1 http2.unknown.nghttp2.error']),
  silent(
    '513 CONTINUATION frames',
    [frame(1, 1, 1, get()), ...Array<Buffer>(512).fill(frame(9, 0, 1, '\x82')), frame(9, 4, 1)],
    [],
    ['DPE http2.invalid.header.field'],
  ),
  silent(
    'two empty CONTINUATION frames',
    [frame(1, 1, 1, get()), frame(9, 0, 1), frame(9, 0, 1)],
    [],
    ['DPE codec_error:Too_many_consecutive_frames_with_an_empty_payload'],
  ),
  silent('two empty DATA frames', [frame(0, 0, 1), frame(0, 0, 1)], [UPLOAD], ['#1 http2.inbound_empty_frames_flood']),
  silent('DATA of nothing but padding, twice', Array<Buffer>(2).fill(frame(0, 8, 1, '\x03\0\0\0')), [UPLOAD]),
  silent('a hundred WINDOW_UPDATE frames', Array<Buffer>(100).fill(frame(8, 0, 0, uint32(1)))),
  silent(
    'trailers without an end',
    [frame(1, 4, 1, line('x', '1'))],
    [UPLOAD],
    ['#1 http2.violation.of.messaging.rule'],
  ),
  silent(
    'a pseudo header among trailers',
    [frame(1, 5, 1, line(':path', '/'))],
    [UPLOAD],
    ['#1 http2.invalid.header.field'],
  ),
  silent('a connection header among trailers', [frame(1, 5, 1, line('connection', 'x'))], [UPLOAD]),
  silent(
    'trailers behind too short a body',
    [frame(1, 5, 1, line('x', '1'))],
    [frame(1, 4, 1, post(line('content-length', '5'))), frame(0, 0, 1, 'abc')],
    ['#1 http2.violation.of.messaging.rule'],
  ),
  silent(
    'a bad head while another stream is open',
    [frame(1, 5, 3, get(line('X', '1')))],
    [HOLD],
    ['DPE http2.invalid.header.field', `#1 ${FAILED}`],
  ),
  field('upper case', get(line('X-Upper', '1'))),
  field('no name', get(line('', '1'))),
  field('a name with a space', get(line('x y', '1'))),
  field('a name with a colon', get(line('x:y', '1'))),
  field('NUL in a value', get(line('x', 'a\0b'))),
  field('CR in a value', get(line('x', 'a\rb'))),
  field('DEL in a value', get(line('x', 'a\x7fb'))),
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map((name) =>
    field(name, get(line(name, 'x'))),
  ),
  field('te: gzip', get(line('te', 'gzip'))),
  field('a pseudo header behind a regular one', get(line('x', '1'), line(':path', '/'))),
  field('two methods', bytes('\x82\x82\x84\x86', line(':authority', 'a'))),
  field('an unknown pseudo header', bytes('\x82\x84\x86', line(':foo', 'a'))),
  field(':status', bytes('\x82\x84\x86\x88')),
  field(':protocol', head('CONNECT', line(':protocol', 'websocket'))),
  field('content-length no number', get(line('content-length', '3x'))),
  field('content-length empty', get(line('content-length', ''))),
  field('two equal content-lengths', get(line('content-length', '3'), line('content-length', '3'))),
  field('two hosts', get(line('host', 'a'), line('host', 'a'))),
  field('an empty host', get(line('host', ''))),
  field('a host with a space', get(line('host', 'a b'))),
  field('an authority with a space', bytes('\x82\x84\x86', line(':authority', 'a b'))),
  field('an authority with userinfo', bytes('\x82\x84\x86', line(':authority', 'u@a'))),
  field('no authority in it', bytes('\x82\x84\x86', line(':authority', ''))),
  field('an empty path', bytes('\x82', line(':path', ''))),
  field('a path with a space', bytes('\x82', line(':path', '/a b'))),
  field('a path with DEL', bytes('\x82', line(':path', '/a\x7f'))),
  field('an empty method', head('')),
  field('a method with a space', head('G T')),
  field('a scheme with an underscore', bytes('\x82\x84', line(':scheme', 'h_p'))),
  message('no method', bytes('\x84\x86', line(':authority', 'a'))),
  message('no scheme', bytes('\x82\x84', line(':authority', 'a'))),
  message('no path', bytes('\x82\x86', line(':authority', 'a'))),
  message('neither authority nor host', bytes('\x82\x84\x86')),
  message('a path without slash', target('bar')),
  message('GET *', target('*')),
  message('CONNECT with a path', head('CONNECT', target('/').subarray(1))),
  message('CONNECT with a host only', head('CONNECT', line('host', 'a'))),
  message('an end where a body was promised', post(line('content-length', '3'))),
  {
    name: 'a body longer than promised',
    before: [frame(1, 4, 1, post(line('content-length', '3')))],
    send: [frame(0, 0, 1, 'abcd'), PING],
    reply: 'PING/1, RST#1 1',
    events: ['#1 local 1 http2.remote_reset'],
  },
  {
    name: 'a body shorter than promised',
    before: [frame(1, 4, 1, post(line('content-length', '3')))],
    send: [frame(0, 1, 1, 'ab')],
    reply: 'RST#1 1',
    events: ['#1 local 1 http2.remote_reset'],
  },
  {
    name: 'more than 100 headers',
    send: [frame(1, 5, 1, get(...Array.from({ length: 97 }, (_, i) => line(`x${i}`, '1')))), PING],
    reply: 'PING/1, RST#1 2',
    events: ['DR http2.too_many_headers'],
  },
  {
    name: 'what follows the header that was too many is not looked at',
    send: [frame(1, 5, 1, get(...Array.from({ length: 97 }, (_, i) => line(`x${i}`, '1')), line('X', '1')))],
    reply: 'RST#1 2',
    events: ['DR http2.too_many_headers'],
  },
  {
    name: 'more than 60 KiB of headers',
    send: [0, 1, 2, 3].map((i) =>
      frame(
        i === 0 ? 1 : 9,
        i === 0 ? 1 : i === 3 ? 4 : 0,
        1,
        ...(i === 0 ? [get()] : []),
        line(`x${i}`, 'a'.repeat(15_400)),
      ),
    ),
    reply: 'RST#1 2',
    events: ['DR http2.header_list_size_too_large'],
  },
  {
    name: 'trailers over the limit',
    before: [UPLOAD],
    send: [frame(1, 5, 1, ...Array.from({ length: 101 }, (_, i) => line(`x${i}`, '1')))],
    reply: 'RST#1 2',
    events: ['#1 local 2 http2.too_many_headers'],
  },
  {
    name: 'a smaller stream id is skipped, its block is not',
    before: [frame(1, 5, 5, get())],
    send: [frame(1, 5, 3, get()), PING],
    reply: 'PING/1',
  },
  {
    name: 'more streams than allowed, before the client has confirmed: REFUSED_STREAM',
    before: [1, 3, 5, 7].map((id) => frame(1, 5, id, get())),
    send: [frame(1, 5, 9, get()), PING],
    reply: 'PING/1, RST#9 7',
  },
  silent(
    'more streams than allowed, after that: the connection',
    [frame(1, 5, 9, get())],
    [frame(4, 1, 0), ...[1, 3, 5, 7].map((id) => frame(1, 5, id, get()))],
  ),
  {
    name: 'a GOAWAY of the client ends reading when nothing is open',
    before: [frame(7, 0, 0, uint32(0), uint32(0))],
    send: [PING, frame(1, 5, 1, get())],
    reply: '',
  },
  {
    name: 'a GOAWAY of the client with a stream open',
    before: [HOLD, frame(7, 0, 0, uint32(0), uint32(0))],
    send: [PING],
    reply: 'PING/1',
  },
  { name: 'RST_STREAM', before: [HOLD], send: [frame(3, 0, 1, uint32(7))], reply: '', events: ['#1 peer 7'] },
];

function run({ before = [], send }: Case, pieces: (whole: Buffer) => readonly Buffer[]): string {
  const peer = new Peer();
  peer.push(START);
  peer.take();
  peer.push(...before);
  peer.take();
  peer.events.length = 0;
  peer.push(...pieces(bytes(...send)));
  return JSON.stringify([show(peer.take()), peer.session.dead, peer.events]);
}

t.test('as Envoy answers, in every split', async (t) => {
  for (const each of CASES) {
    const whole = run(each, (all) => [all]);
    const [reply, dead, events] = JSON.parse(whole) as [string, boolean, string[]];
    t.equal(reply, each.reply, each.name);
    t.equal(dead, each.dead === true, `${each.name}: connection`);
    if (each.events !== undefined) t.same(events, each.events, `${each.name}: log`);
    const size = bytes(...each.send).length;
    const places = size <= 120 ? Array.from({ length: size }, (_, i) => i) : [1, 8, 9, 10, size >> 1, size - 1];
    const odd = places.filter((at) => run(each, (all) => [all.subarray(0, at), all.subarray(at)]) !== whole);
    t.same(odd, [], `${each.name}: in two pieces`);
    if (size <= 3000) {
      t.equal(
        run(each, (all) => [...all].map((byte) => Buffer.from([byte]))),
        whole,
        `${each.name}: byte by byte`,
      );
    }
  }
});

t.test('the first frames', async (t) => {
  const first = (...pieces: readonly Buffer[]): [string, boolean] => {
    const peer = new Peer();
    peer.push(...pieces);
    return [show(peer.take()), peer.session.dead];
  };
  t.same(first(START), [HELLO, false]);
  t.same(first(PREFACE.subarray(0, 18)), ['SETTINGS 24, WINDOW 25100289', false], 'half a preface');
  t.same(first(PREFACE.subarray(0, 18), Buffer.from('XXXXXX')), ['', true], 'a wrong one: not a byte');
  t.same(first(PREFACE, PING), ['SETTINGS 24, GOAWAY last=0 1 SETTINGS expected', true]);
  t.same(first(PREFACE, frame(4, 1, 0)), ['SETTINGS 24, GOAWAY last=0 1 SETTINGS expected', true]);
  t.same(first(START, PING), ['SETTINGS 24, SETTINGS/1 0, PING/1, WINDOW 25100289', false]);
  t.same(first(START, frame(0, 0, 1, 'hi')), ['SETTINGS 24, GOAWAY last=0 1 DATA: stream in idle', true]);
  t.same(first(START, frame(1, 5, 1, get(line('X', '')))), ['', true], 'silent from the start');
  t.same(first(START, frame(7, 0, 0, uint32(0), uint32(0))), ['SETTINGS 24, SETTINGS/1 0', false]);
  const small = new Peer(false, { maxConcurrentStreams: 100, streamWindow: 65_536, connectionWindow: 1_048_576 });
  small.push(START);
  t.equal(small.take().toString('hex', 9, 33), '000100001000000800000000000300000064000400010000');
});

t.test('what a request looks like', async (t) => {
  const read = (block: Buffer, underscores?: 'DROP_HEADER' | 'REJECT_REQUEST'): RequestHead | string | undefined => {
    const peer = new Peer(false, OPTIONS, underscores);
    peer.push(START, frame(1, 5, 1, block));
    return peer.requests[0]?.head ?? peer.events[0];
  };
  const plain = {
    protocol: 'HTTP/2',
    method: 'GET',
    authority: 'shop.test',
    path: '/',
    scheme: 'http',
    endStream: true,
  };
  t.same(
    read(
      get(
        line('cookie', 'a=1'),
        line('x', '  1\t2 '),
        line('cookie', 'b=2'),
        line('te', 'Trailers'),
        line('x', '\xff'),
      ),
    ),
    { ...plain, headers: ['x', '  1\t2 ', 'te', 'Trailers', 'x', '\xff', 'cookie', 'a=1; b=2'] },
  );
  t.same(read(bytes('\x82\x84\x86', line('host', 'h'))), { ...plain, authority: 'h', headers: [] });
  t.same(read(get(line('host', 'other'))), { ...plain, headers: [] }, ':authority wins');
  t.same(read(target('bar', 'foo')), { ...plain, authority: 'a', scheme: 'foo', path: 'bar', headers: [] });
  t.same(read(head('BREW', bytes('\x84\x86'), line(':authority', 'a'))), {
    ...plain,
    method: 'BREW',
    authority: 'a',
    headers: [],
  });
  t.same(read(head('CONNECT', line(':authority', 'a:80'))), {
    protocol: 'HTTP/2',
    method: 'CONNECT',
    authority: 'a:80',
    path: undefined,
    scheme: undefined,
    headers: [],
    endStream: true,
  });
  t.same(read(get(line('a_b', '1'), line('c', '2')), 'DROP_HEADER'), { ...plain, headers: ['c', '2'] });
  t.equal(read(get(line('a_b', '1')), 'REJECT_REQUEST'), 'DR http2.unexpected_underscore');
});

t.test('windows: what is not consumed holds the client back', async (t) => {
  const peer = new Peer(false, { maxConcurrentStreams: 4, streamWindow: 100_000, connectionWindow: 200_000 });
  peer.push(START, frame(4, 1, 0), UPLOAD);
  peer.take();
  const [stream] = peer.requests as [Http2ServerStream];
  stream.body.pause();
  const chunk = Buffer.alloc(16_384, 'x');
  for (let i = 0; i < 6; i++) peer.push(frame(0, 0, 1, chunk));
  t.notMatch(show(peer.take()), /WINDOW/, 'nobody reads: no window');
  stream.body.resume();
  await new Promise((resolve) => setImmediate(resolve));
  t.match(show(peer.take()), /WINDOW#1 \d+/);
  const greedy = new Peer(false, { maxConcurrentStreams: 4, streamWindow: 20_000, connectionWindow: 200_000 });
  greedy.push(START, frame(4, 1, 0), UPLOAD);
  greedy.take();
  (greedy.requests[0] as Http2ServerStream).body.pause();
  greedy.push(...Array<Buffer>(3).fill(frame(0, 0, 1, chunk)));
  t.match(show(greedy.take()), /RST#1 3/, 'more than the window: FLOW_CONTROL_ERROR');
  const all = new Peer(false, { maxConcurrentStreams: 4, streamWindow: 1_000_000, connectionWindow: 70_000 });
  all.push(START, frame(4, 1, 0), UPLOAD);
  all.take();
  (all.requests[0] as Http2ServerStream).body.pause();
  all.push(...Array<Buffer>(5).fill(frame(0, 0, 1, chunk)));
  t.equal(show(all.take()), 'GOAWAY last=1 3', 'more than that of the connection');
});

t.test('windows: what we send', async (t) => {
  const peer = new Peer();
  peer.push(START, frame(4, 0, 0, setting(4, 10)), HOLD, frame(1, 5, 3, get()));
  peer.take();
  const [one, two] = peer.requests as [Http2ServerStream, Http2ServerStream];
  one.respond({ status: 200, headers: [] }, false);
  one.write(Buffer.alloc(25, 'a'));
  one.end(['x-t', '1']);
  two.respond({ status: 200, headers: [] }, false);
  two.write(Buffer.alloc(4, 'b'));
  two.end([]);
  t.equal(show(peer.take()), 'HEADERS/4#1, HEADERS/4#3, DATA#1 10, DATA/1#3 4');
  peer.push(frame(8, 0, 1, uint32(5)));
  t.equal(show(peer.take()), 'DATA#1 5');
  peer.push(frame(4, 0, 0, setting(4, 100)));
  t.equal(show(peer.take()), 'SETTINGS/1 0, DATA#1 10, HEADERS/5#1');
  const blocked = new Peer();
  blocked.push(START, HOLD);
  blocked.take();
  const [stream] = blocked.requests as [Http2ServerStream];
  stream.respond({ status: 200, headers: [] }, false);
  let more = true;
  for (let i = 0; i < 20 && more; i++) more = stream.write(Buffer.alloc(16_384));
  t.notOk(more, 'a writer is asked to wait');
  t.equal(show(blocked.take(true)), 'HEADERS/4#1', 'a socket that is full gets no DATA');
  let drained = 0;
  stream.listen({ onFailure: () => {}, onFinished: () => {}, onDrain: () => drained++ });
  blocked.session.drained();
  blocked.take();
  t.equal(drained, 0, 'the window is used up, the rest still waits');
  blocked.push(frame(8, 0, 1, uint32(1 << 20)), frame(8, 0, 0, uint32(1 << 20)));
  blocked.take();
  t.equal(drained, 1);
});

t.test('floods are bounded', async (t) => {
  const unread = new Peer();
  unread.push(START);
  unread.take();
  for (let i = 0; i < 1100; i++) unread.push(PING);
  t.ok(unread.session.dead, 'more than 1,000 answers that nobody takes');
  const read = new Peer();
  read.push(START);
  for (let i = 0; i < 3000; i++) {
    read.push(PING, frame(4, 0, 0));
    read.take();
    read.session.drained();
  }
  t.notOk(read.session.dead, 'not when they are taken');
  const resets = new Peer();
  resets.push(START);
  for (let i = 0; i < 1001 && !resets.session.dead; i++) {
    resets.push(frame(1, 5, 2 * i + 1, get()), frame(3, 0, 2 * i + 1, uint32(8)));
    resets.take();
    resets.session.drained();
  }
  t.match(resets.session.dead, true, 'a thousand resets at once');
  const priorities = new Peer();
  priorities.push(START, ...Array<Buffer>(101).fill(frame(2, 0, 1, uint32(3), '\0')));
  t.ok(priorities.session.dead, 'PRIORITY');
  const settings = new Peer();
  settings.push(START, frame(4, 0, 0, setting(1, 0xffffffff)), HOLD);
  t.notOk(settings.session.dead, 'a table of 4 GB is taken as 4 KiB');
});

t.test('going away', async (t) => {
  const peer = new Peer();
  peer.push(START, HOLD);
  peer.take();
  peer.session.sendShutdownNotice();
  t.equal(show(peer.take()), 'GOAWAY last=2147483647 0');
  peer.push(frame(1, 5, 3, get()));
  peer.session.sendGoaway();
  t.equal(show(peer.take()), 'GOAWAY last=3 0');
  peer.push(frame(1, 5, 5, get()), PING);
  t.equal(show(peer.take()), 'PING/1', 'later streams are ignored');
  t.equal(peer.requests.length, 2);
});

t.test('an early answer, and a reset of ours', async (t) => {
  const peer = new Peer();
  peer.push(START, UPLOAD, frame(1, 4, 3, post()));
  peer.take();
  const [one, two] = peer.requests as [Http2ServerStream, Http2ServerStream];
  one.informational(103, ['link', 'x']);
  one.respond({ status: 200, headers: ['connection', 'x', 'te', 'gzip'] }, true);
  t.equal(show(peer.take()), 'HEADERS/4#1, HEADERS/5#1, RST#1 0');
  two.respond({ status: 200, headers: [] }, false);
  two.write(Buffer.from('abc'));
  two.reset();
  t.equal(show(peer.take()), 'HEADERS/4#3, DATA#3 3, RST#3 2', 'what was written goes out before it');
  peer.push(frame(0, 0, 1, 'late'), frame(1, 5, 1, line('x', '1')), PING);
  t.equal(show(peer.take()), 'PING/1', 'what was on its way is read and dropped');
});

t.test('random frames behind a preface: declared outcomes only', async () => {
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 63 }),
      fc.constantFrom(0, 1, 3, 2),
      fc.uint8Array({ maxLength: 24 }),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)));
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), (frames) => {
      const peer = new Peer(true);
      peer.push(START, HOLD, ...frames);
      show(peer.take());
    }),
    { numRuns: 300 },
  );
});
