// Which codec a connection gets (spec dataplane.md §3.1): by the negotiated ALPN; without one by the first read alone.
import type net from 'node:net';
import { type CodecSettings, DELAYED_CLOSE } from './codec-settings.js';
import { serveHttp1 } from './http1/server-codec.js';
import { Http2Codec } from './http2-codec.js';
import type { ServerCodec, ServerCodecListener } from './stream.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const PREFACE_START = 'PRI * HTTP/2';

/** Makes the codec of each connection. */
export class Codecs {
  /** `chosen` is called once, at once when ALPN says HTTP/1, else with the first bytes; never for a client that sends none. */
  serve(
    socket: net.Socket,
    alpn: string,
    settings: CodecSettings,
    listener: ServerCodecListener,
    chosen: (codec: ServerCodec) => void,
  ): void {
    if (alpn !== '' && alpn !== 'h2') {
      chosen(serveHttp1(socket, settings, listener));
      return;
    }
    let first: Buffer | undefined;
    const take = (): ServerCodec => {
      socket.off('readable', onReadable);
      socket.off('close', closed);
      socket.off('end', onEnd);
      socket.off('error', ignore);
      socket.unshift(first as Buffer);
      return isHttp2(alpn, first as Buffer)
        ? new Http2Codec(socket, settings, listener)
        : serveHttp1(socket, settings, listener);
    };
    const closed = (): void => listener.onClosed();
    const onEnd = (): void => {
      socket.destroy();
    };
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      first = first === undefined ? chunk : Buffer.concat([first, chunk]);
      if (!isHttp2(alpn, first)) {
        chosen(take());
        return;
      }
      const seen = Math.min(first.length, PREFACE.length);
      if (first.compare(PREFACE, 0, seen, 0, seen) !== 0) {
        // Not a byte is said; what still comes is dropped until the delayed close.
        socket.off('readable', onReadable);
        socket.resume();
        const timer = settings.environment.setTimer(DELAYED_CLOSE, () => socket.destroySoon());
        socket.once('close', () => timer.cancel());
      } else if (seen === PREFACE.length) {
        chosen(take());
      }
    };
    socket.on('readable', onReadable);
    socket.on('close', closed);
    socket.on('end', onEnd);
    socket.on('error', ignore);
  }
}

/** ALPN decides; without it the first read alone: a preface that comes in pieces is taken for HTTP/1, as Envoy does. */
function isHttp2(alpn: string, first: Buffer): boolean {
  return alpn === 'h2' || first.toString('latin1', 0, PREFACE_START.length) === PREFACE_START;
}

function ignore(): void {}
