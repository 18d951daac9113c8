// An upstream's connection, bytes in and bytes out: what Envoy 1.40 made of the same answers of a raw upstream (spec
// dataplane.md §4.2, §5.3), in every split.
import t from 'tap';
import {
  ClientSession,
  type ClientSessionOwner,
  ClientStream,
} from '../../../../src/dataplane/codec/http2/client-session.js';
import type { StreamEnd } from '../../../../src/dataplane/codec/http2/session-stream.js';
import { bytes, frame, get, line, setting, show, uint32 } from '../../../support/http2-frames.js';

const OPTIONS = { maxConcurrentStreams: 1024, streamWindow: 16_777_216, connectionWindow: 25_165_824 };
const OK = Buffer.from('\x88', 'latin1');

class Stream extends ClientStream {
  readonly events: string[] = [];

  onHead(status: number, headers: string[], endStream: boolean): void {
    this.events.push(`${status} ${headers.join(' ')}${endStream ? '.' : ''}`.replace(' .', '.').trim());
  }

  onData(chunk: Buffer): boolean {
    const last = this.events.at(-1);
    if (last?.startsWith('data ')) this.events[this.events.length - 1] = last + chunk.toString('latin1');
    else this.events.push(`data ${chunk.toString('latin1')}`);
    return true;
  }

  onTrailers(trailers: string[]): void {
    this.events.push(`trailers ${trailers.join(' ')}`);
  }

  onRemoteEnd(): void {
    this.events.push('end');
  }

  onDrain(): void {}

  onSent(): void {}

  onEnded({ by, code }: StreamEnd): void {
    this.events.push(`${by} ${code}`);
  }
}

class Peer implements ClientSessionOwner {
  readonly session: ClientSession = new ClientSession(OPTIONS, this);
  readonly events: string[] = [];

  open(method = 'GET'): Stream {
    const stream = new Stream(this.session.takeId(), this.session.initialSendWindow, method === 'HEAD');
    this.session.open(stream, [':method', method, ':path', '/'], [], true);
    return stream;
  }

  take(): string {
    const parts: Buffer[] = [];
    this.session.flush(parts, false);
    this.session.flushed();
    return show(Buffer.concat(parts));
  }

  requestFlush(): void {}

  onPeerSettings(): void {
    this.events.push(`${this.session.maxStreams} streams`);
  }

  onPingAck(): void {
    this.events.push('pong');
  }

  onAnyFrame(): void {}

  onGoaway(): void {
    this.events.push('goaway');
  }

  onDead(): void {
    this.events.push('dead');
  }
}

const head = (...lines: readonly Buffer[]): Buffer => frame(1, 5, 1, OK, ...lines);
const status = (code: string, flags = 5, ...more: readonly Buffer[]): Buffer =>
  frame(1, flags, 1, line(':status', code), ...more);
const body = (text: string, flags = 1): Buffer => frame(0, flags, 1, text);

/** name, what the upstream sends, what the stream hears, what goes back, whether the connection is given up. */
const CASES: readonly (readonly [string, readonly Buffer[], readonly string[], string, boolean])[] = [
  ['a whole answer', [head()], ['200.', 'end'], '', false],
  ['a body', [frame(1, 4, 1, OK, line('x', '1')), body('ok')], ['200 x 1', 'data ok', 'end'], '', false],
  [
    'trailers',
    [frame(1, 4, 1, OK), body('ok', 0), frame(1, 5, 1, line('x', '1'))],
    ['200', 'data ok', 'trailers x 1', 'end'],
    '',
    false,
  ],
  ['103, then the answer', [status('103', 4, line('link', 'x')), head()], ['103 link x', '200.', 'end'], '', false],
  ['status 99', [status('099')], ['99.', 'end'], '', false],
  ['status 700', [status('700')], ['700.', 'end'], '', false],
  ['304 with a length', [status('304', 5, line('content-length', '3'))], ['304 content-length 3.', 'end'], '', false],
  ['204 with length 0: dropped', [status('204', 5, line('content-length', '0'))], ['204.', 'end'], '', false],
  ['204 with a length', [status('204', 5, line('content-length', '3'))], [], '', true],
  ['204 with a body', [status('204', 4), body('abc')], ['204', 'local 1'], 'RST#1 1', false],
  ['status 2000', [status('2000')], [], '', true],
  ['status 101', [status('101')], [], '', true],
  ['no status', [frame(1, 5, 1, line('x', '1'))], [], '', true],
  ['upper case', [head(line('X', '1'))], [], '', true],
  ['connection', [head(line('connection', 'close'))], [], '', true],
  ['te: gzip', [head(line('te', 'gzip'))], [], '', true],
  ['100 with an end', [status('100')], [], '', true],
  ['100 with a body', [status('100', 4), body('abc')], ['100', 'local 1'], 'RST#1 1', false],
  ['100 and an end of nothing', [status('100', 4), body('')], ['100', 'local 1'], 'RST#1 1', false],
  ['a body before its head', [body('abc')], [], 'GOAWAY last=0 1 DATA: stream not opened', true],
  [
    'too short a body',
    [frame(1, 4, 1, OK, line('content-length', '5')), body('abc')],
    ['200 content-length 5', 'data abc', 'local 1'],
    'RST#1 1',
    false,
  ],
  ['an end instead of a body', [head(line('content-length', '5'))], [], '', true],
  ['trailers without an end', [frame(1, 4, 1, OK), frame(1, 4, 1, line('x', '1'))], ['200'], '', true],
  ['a status among trailers', [frame(1, 4, 1, OK), frame(1, 5, 1, OK)], ['200'], '', true],
  ['a push', [frame(5, 4, 1, uint32(2), get())], [], '', true],
  ['pushes allowed', [frame(4, 0, 0, setting(2, 1))], [], '', true],
  ['HTTP/1.1', [Buffer.from('HTTP/1.1 200 OK\r\n\r\n')], [], 'GOAWAY last=0 6 too large frame size', true],
  ['GOAWAY that leaves the stream out', [frame(7, 0, 0, uint32(0), uint32(0))], ['goaway 7'], '', false],
  ['GOAWAY that names it, and the answer', [frame(7, 0, 0, uint32(1), uint32(2)), head()], ['200.', 'end'], '', false],
  ['RST_STREAM', [frame(3, 0, 1, uint32(8))], ['peer 8'], '', false],
  ['DATA of an idle stream', [frame(0, 1, 99, 'abc')], [], 'GOAWAY last=0 1 DATA: stream in idle', true],
  ['WINDOW_UPDATE of nothing', [frame(8, 0, 1, uint32(0))], [], '', true],
  ['101 headers', [head(...Array.from({ length: 100 }, (_, i) => line(`x${i}`, '1')))], ['local 2'], 'RST#1 2', false],
  ['two empty DATA frames', [frame(1, 4, 1, OK), body('', 0), body('', 0)], ['200'], '', true],
];

t.test('as Envoy takes them, in every split', async (t) => {
  for (const [name, sent, expected, reply, isDead] of CASES) {
    const whole = bytes(...sent);
    const run = (...pieces: readonly Buffer[]): unknown[] => {
      const peer = new Peer();
      const stream = peer.open();
      peer.session.push(frame(4, 0, 0));
      peer.take();
      for (const piece of pieces) peer.session.push(piece);
      return [stream.events, peer.take(), peer.session.dead];
    };
    t.same(run(whole), [expected, reply, isDead], name);
    for (let at = 1; at < Math.min(whole.length, 150); at++) {
      t.same(run(whole.subarray(0, at), whole.subarray(at)), [expected, reply, isDead], `${name}: cut at ${at}`);
    }
  }
});

t.test('an answer to HEAD has a length and no body', async (t) => {
  const peer = new Peer();
  const stream = peer.open('HEAD');
  peer.session.push(bytes(frame(4, 0, 0), head(line('content-length', '5'))));
  t.same(stream.events, ['200 content-length 5.', 'end']);
});

t.test('first bytes, PING, limits of the peer', async (t) => {
  const peer = new Peer();
  peer.open();
  const parts: Buffer[] = [];
  peer.session.flush(parts, false);
  const first = Buffer.concat(parts);
  t.equal(first.toString('latin1', 0, 24), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  t.equal(show(first.subarray(24)), 'SETTINGS 30, WINDOW 25100289, HEADERS/5#1');
  t.equal(first.toString('hex', 33, 63), '000200000000000100001000000800000000000300000400000401000000');
  peer.session.push(
    bytes(frame(4, 0, 0, setting(3, 7)), frame(4, 1, 0), frame(6, 1, 0, '12345678'), frame(6, 0, 0, '12345678')),
  );
  t.same(peer.events, ['7 streams', 'pong']);
  peer.session.sendPing(Buffer.alloc(8));
  t.equal(peer.take(), 'SETTINGS/1 0, PING/1, PING');
});
