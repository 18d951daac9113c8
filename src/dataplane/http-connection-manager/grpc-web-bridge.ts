// The gRPC-Web filter between a client and the router: request bodies in text form are decoded on their way up, responses
// get their form and their trailers as a last frame on their way down (spec dataplane.md §3.8; rules in filters/grpc-web.ts).
import { Transform } from 'node:stream';
import { GrpcWebResponse, GrpcWebTextDecoder, isPlainResponse, MAX_PLAIN_BODY } from '../../filters/grpc-web.js';
import { HeaderMap } from '../../filters/header-map.js';
import type { ByteSource } from '../codec/stream.js';
import type { Downstream } from '../router/exchange.js';

/** The client's side with the filter in between. `onMalformed`: the request's text is no base64, nothing more of it comes. */
export function bridgeGrpcWeb(downstream: Downstream, onMalformed: () => void): Downstream {
  const { grpcWeb } = downstream.decision;
  if (grpcWeb === undefined) return downstream;
  const response = new GrpcWebResponse(grpcWeb.response);
  /** A response that is held back until its body, which becomes its message, is there. */
  let plain: { readonly status: number; readonly headers: HeaderMap; body: Buffer } | undefined;
  return {
    ...downstream,
    body: grpcWeb.requestIsText ? decodeText(downstream.body, new TextBody(onMalformed)) : downstream.body,
    get trailers() {
      return downstream.trailers;
    },
    respond(status, raw, endStream) {
      const headers = new HeaderMap(raw);
      if (isPlainResponse(headers, endStream)) {
        plain = { status, headers, body: Buffer.alloc(0) };
        return;
      }
      response.changeHeaders(headers, endStream);
      downstream.respond(status, headers.raw, endStream);
    },
    write(chunk) {
      if (plain !== undefined) {
        if (plain.body.length < MAX_PLAIN_BODY) plain.body = Buffer.concat([plain.body, chunk]);
        return true;
      }
      const encoded = response.encode(chunk);
      return encoded.length === 0 ? true : downstream.write(encoded);
    },
    end(trailers) {
      if (plain !== undefined) {
        response.changePlainHeaders(plain.headers, plain.status, plain.body.subarray(0, MAX_PLAIN_BODY));
        downstream.respond(plain.status, plain.headers.raw, true);
        return;
      }
      if (trailers.length > 0) downstream.write(response.encodeTrailers(trailers));
      downstream.end([]);
    },
  };
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
