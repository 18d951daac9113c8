// HTTP/2 by hand, as the recorder's client spoke it: nothing is checked before it is sent, so that what the gateway
// makes of odd requests can be seen. One stream at a time.
import type { HttpSpec, ResponseOutcome } from '../support.js';
import type { Channel } from './channel.js';
import { encodeHeaders, HpackDecoder } from './hpack.js';

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const TYPE = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const PRIORITY = 0x20;
const FRAME_SIZE = 16384;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

interface Building {
  status: number | undefined;
  headers: [string, string][];
  trailers: [string, string][] | undefined;
  body: Buffer[];
  ended: boolean;
  reset: number | undefined;
}

export class Http2Client {
  private readonly channel: Channel;
  private readonly decoder = new HpackDecoder();
  private nextStream = 1;
  private window = 65535;
  private initialWindow = 65535;
  private block: { readonly frame: Frame; readonly parts: Buffer[] } | undefined = undefined;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.write(PREFACE);
    // No push; windows as large as they get.
    channel.write(frame(TYPE.settings, 0, 0, Buffer.from([0, 2, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff])));
    channel.write(frame(TYPE.windowUpdate, 0, 0, Buffer.from([0x3f, 0xff, 0xff, 0xff])));
  }

  /** Sends one request on a new stream and reads its response. */
  async exchange(spec: HttpSpec, isTls: boolean, deadline: number): Promise<ResponseOutcome> {
    const stream = this.nextStream;
    this.nextStream += 2;
    const building: Building = {
      status: undefined,
      headers: [],
      trailers: undefined,
      body: [],
      ended: false,
      reset: undefined,
    };
    this.sendHeaders(stream, spec, isTls);
    let unsent = Buffer.from(spec.body ?? '', 'latin1');
    let streamWindow = this.initialWindow;
    while (!building.ended && building.reset === undefined) {
      while (unsent.length > 0 && this.window > 0 && streamWindow > 0) {
        const part = unsent.subarray(0, Math.min(FRAME_SIZE, this.window, streamWindow));
        unsent = unsent.subarray(part.length);
        this.window -= part.length;
        streamWindow -= part.length;
        this.channel.write(frame(TYPE.data, unsent.length === 0 ? END_STREAM : 0, stream, part));
      }
      const next = await this.readFrame(deadline);
      if (next === undefined) break;
      streamWindow += this.handle(next, stream, building);
    }
    return this.outcome(building);
  }

  private sendHeaders(stream: number, spec: HttpSpec, isTls: boolean): void {
    const { method = 'GET', path = '/', host, headers = [], body } = spec;
    const list: [string, string][] = [[':method', method]];
    list.push([':scheme', spec.scheme ?? (isTls ? 'https' : 'http')]);
    if (host !== undefined) list.push([':authority', host]);
    list.push([':path', path]);
    for (const [name, value] of headers) list.push([name.toLowerCase(), value.trim()]);
    const block = encodeHeaders(list);
    const endStream = body === undefined || body === '' ? END_STREAM : 0;
    for (let at = 0; at === 0 || at < block.length; at += FRAME_SIZE) {
      const part = block.subarray(at, at + FRAME_SIZE);
      const endHeaders = at + FRAME_SIZE >= block.length ? END_HEADERS : 0;
      const type = at === 0 ? TYPE.headers : TYPE.continuation;
      this.channel.write(frame(type, (at === 0 ? endStream : 0) | endHeaders, stream, part));
    }
  }

  private async readFrame(deadline: number): Promise<Frame | undefined> {
    if (!(await this.channel.until(() => this.channel.receivedLength >= 9, deadline))) return undefined;
    const length = this.channel.received.readUIntBE(0, 3);
    if (!(await this.channel.until(() => this.channel.receivedLength >= 9 + length, deadline))) return undefined;
    const bytes = this.channel.take(9 + length);
    return {
      type: bytes[3] as number,
      flags: bytes[4] as number,
      stream: bytes.readUInt32BE(5) & 0x7fffffff,
      payload: Buffer.from(bytes.subarray(9)),
    };
  }

  /** Returns by how much the window of `stream` grew. */
  private handle(received: Frame, stream: number, building: Building): number {
    const { type, flags, payload } = received;
    switch (type) {
      case TYPE.settings:
        return (flags & ACK) === 0 ? this.settings(payload) : 0;
      case TYPE.ping:
        if ((flags & ACK) === 0) this.channel.write(frame(TYPE.ping, ACK, 0, payload));
        return 0;
      case TYPE.windowUpdate: {
        const increment = payload.readUInt32BE(0) & 0x7fffffff;
        if (received.stream === stream) return increment;
        if (received.stream === 0) this.window += increment;
        return 0;
      }
      case TYPE.headers:
        this.block = { frame: received, parts: [withoutPadding(received)] };
        if (flags & END_HEADERS) this.headers(stream, building);
        return 0;
      case TYPE.continuation:
        this.block?.parts.push(payload);
        if (flags & END_HEADERS) this.headers(stream, building);
        return 0;
      case TYPE.data:
        if (received.stream !== stream) return 0;
        building.body.push(withoutPadding(received));
        building.ended ||= (flags & END_STREAM) !== 0;
        return 0;
      case TYPE.reset:
        if (received.stream === stream && !building.ended) building.reset = payload.readUInt32BE(0);
        return 0;
      default:
        return 0;
    }
  }

  private settings(payload: Buffer): number {
    let grown = 0;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== 4) continue;
      const value = payload.readUInt32BE(at + 2);
      grown += value - this.initialWindow;
      this.initialWindow = value;
    }
    this.channel.write(frame(TYPE.settings, ACK, 0, Buffer.alloc(0)));
    return grown;
  }

  private headers(stream: number, building: Building): void {
    if (this.block === undefined) return;
    const { frame: first, parts } = this.block;
    this.block = undefined;
    // Also those of a stream that is over: they move the table.
    const decoded = this.decoder.decode(Buffer.concat(parts));
    if (first.stream !== stream) return;
    const status = decoded.find(([name]) => name === ':status')?.[1];
    const regular = decoded
      .filter(([name]) => !name.startsWith(':'))
      .map(([name, value]): [string, string] => [name, value]);
    if (status === undefined) building.trailers = regular;
    else if (!status.startsWith('1')) {
      // The recorder's client passed over informational responses.
      building.status = Number(status);
      building.headers = regular;
    }
    building.ended ||= (first.flags & END_STREAM) !== 0;
  }

  private outcome(building: Building): ResponseOutcome {
    const isOver = building.ended || building.reset !== undefined;
    const ending = isOver ? {} : (this.channel.ending ?? { timeout: true as const });
    if ('alert' in ending && ending.alert !== undefined) return { alert: ending.alert };
    return {
      version: 'HTTP/2',
      headers: building.headers,
      body: Buffer.concat(building.body).toString('latin1'),
      ...(building.status === undefined ? {} : { status: building.status }),
      ...(building.trailers === undefined ? {} : { trailers: building.trailers }),
      ...(building.reset === undefined ? {} : { reset: building.reset }),
      ...ending,
    };
  }
}

function withoutPadding({ type, flags, payload }: Frame): Buffer {
  let start = 0;
  let end = payload.length;
  if (flags & PADDED) {
    start = 1;
    end -= payload[0] ?? 0;
  }
  if (type === TYPE.headers && flags & PRIORITY) start += 5;
  return payload.subarray(start, end);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
