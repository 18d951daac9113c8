// Which codec a connection gets (spec dataplane.md §3.1): by the negotiated ALPN; without one by the first read alone.
import type net from 'node:net';
import type { CodecSettings } from './codec-settings.js';
import { serveHttp1 } from './http1/server-codec.js';
import { Http2ServerConnection } from './http2/server-connection.js';
import type { ServerCodec, ServerCodecListener } from './stream.js';

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
    const closed = (): void => listener.onClosed();
    const onEnd = (): void => {
      socket.destroy();
    };
    const onReadable = (): void => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.off('readable', onReadable);
      socket.off('close', closed);
      socket.off('end', onEnd);
      socket.off('error', ignore);
      if (isHttp2(alpn, first)) {
        const codec = new Http2ServerConnection(socket, settings, listener);
        chosen(codec);
        codec.start(first);
      } else {
        socket.unshift(first);
        chosen(serveHttp1(socket, settings, listener));
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
