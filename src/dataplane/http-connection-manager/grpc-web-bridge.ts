// The gRPC-Web filter between a client and the router: request bodies in text form are decoded on their way up, responses
// get their form and their trailers as a last frame on their way down (spec dataplane.md §3.8; rules in filters/grpc-web.ts).
import { Transform } from 'node:stream';
import type { RequestFacts, RequestForward } from '../../decide/request-decision.js';
import { GrpcWebResponse, GrpcWebTextDecoder, isPlainResponse, MAX_PLAIN_BODY } from '../../filters/grpc-web.js';
import { HeaderMap } from '../../filters/header-map.js';
import type { LocalReply } from '../../filters/local-reply.js';
import type { ResponseFlag } from '../../xds/index.js';
import type { ByteSource, ServerTunnel } from '../codec/stream.js';
import type { Downstream } from '../router/exchange.js';
import type { StreamInfo } from '../telemetry/stream-info.js';

/** A response that is held back until its body, which becomes its message, is there. */
interface PlainResponse {
  readonly status: number;
  readonly headers: HeaderMap;
  body: Buffer;
}

/** The client's side with the filter in between. */
export class GrpcWebBridge implements Downstream {
  readonly facts: RequestFacts;
  readonly decision: RequestForward;
  readonly info: StreamInfo;
  readonly body: ByteSource;
  private readonly downstream: Downstream;
  private readonly response: GrpcWebResponse;
  private plain: PlainResponse | undefined = undefined;

  /** `onMalformed`: the request's text is no base64, nothing more of it comes. */
  constructor(downstream: Downstream, call: NonNullable<RequestForward['grpcWeb']>, onMalformed: () => void) {
    this.downstream = downstream;
    this.facts = downstream.facts;
    this.decision = downstream.decision;
    this.info = downstream.info;
    this.body = call.requestIsText ? decodeText(downstream.body, new TextBody(onMalformed)) : downstream.body;
    this.response = new GrpcWebResponse(call.response);
  }

  get trailers(): readonly string[] {
    return this.downstream.trailers;
  }

  respond(status: number, raw: string[], endStream: boolean): void {
    const headers = new HeaderMap(raw);
    if (isPlainResponse(headers, endStream)) {
      this.plain = { status, headers, body: Buffer.alloc(0) };
      return;
    }
    this.response.changeHeaders(headers, endStream);
    this.downstream.respond(status, headers.raw, endStream);
  }

  write(chunk: Buffer): boolean {
    const { plain } = this;
    if (plain !== undefined) {
      if (plain.body.length < MAX_PLAIN_BODY) plain.body = Buffer.concat([plain.body, chunk]);
      return true;
    }
    const encoded = this.response.encode(chunk);
    return encoded.length === 0 ? true : this.downstream.write(encoded);
  }

  end(trailers: readonly string[]): void {
    const { plain, response, downstream } = this;
    if (plain !== undefined) {
      response.changePlainHeaders(plain.headers, plain.status, plain.body.subarray(0, MAX_PLAIN_BODY));
      downstream.respond(plain.status, plain.headers.raw, true);
      return;
    }
    if (trailers.length > 0) downstream.write(response.encodeTrailers(trailers));
    downstream.end([]);
  }

  informational(status: number, headers: string[]): void {
    this.downstream.informational(status, headers);
  }

  received(bytes: number): void {
    this.downstream.received(bytes);
  }

  sent(bytes: number): void {
    this.downstream.sent(bytes);
  }

  reply(reply: LocalReply): void {
    this.downstream.reply(reply);
  }

  breakOff(flag: ResponseFlag, details: string): void {
    this.downstream.breakOff(flag, details);
  }

  tunnel(status: number, headers: string[]): ServerTunnel {
    return this.downstream.tunnel(status, headers);
  }

  tunnelClosed(): void {
    this.downstream.tunnelClosed();
  }
}

function decodeText(source: ByteSource, text: TextBody): TextBody {
  text.on('drain', () => source.resume());
  source.on('data', (chunk) => {
    if (!text.write(chunk)) source.pause();
  });
  source.on('end', () => text.end());
  return text;
}

class TextBody extends Transform {
  private readonly decoder = new GrpcWebTextDecoder();
  private readonly onMalformed: () => void;
  private broken = false;

  constructor(onMalformed: () => void) {
    super();
    this.onMalformed = onMalformed;
  }

  get waiting(): number {
    return this.readableLength;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.broken) {
      const decoded = this.decoder.push(chunk);
      if (decoded === 'malformed') this.fail();
      else if (decoded.length > 0) this.push(decoded);
    }
    done();
  }

  override _flush(done: () => void): void {
    if (!this.broken && !this.decoder.isComplete()) this.fail();
    // A broken body never ends: the stream is answered and given up.
    if (!this.broken) done();
  }

  private fail(): void {
    this.broken = true;
    // A turn later, as Envoy finds it: the head has reached the router by then, and the log names the upstream.
    setImmediate(this.onMalformed);
  }
}
