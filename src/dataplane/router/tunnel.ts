// Raw bytes both ways behind a 101 (spec dataplane.md §3.12; measured on Envoy 1.40). Whoever ends its half ends the
// tunnel: a client's FIN closes both sides at once; an upstream's FIN is a broken connection (UC), the end of its HTTP/2
// stream a regular one, and the client's connection closes a second later. Not through the engine's `ws`, which takes only
// `websocket` in lower case.
import type { ServerTunnel } from '../codec/stream.js';
import type { Downstream } from './exchange.js';
import type { UpstreamRequest } from './upstream-request.js';

/** `closed` is called once, when the tunnel is over, unless the upstream broke off: that is the request's own affair. */
export function joinTunnel(
  tunnel: ServerTunnel,
  upstream: UpstreamRequest,
  downstream: Downstream,
  closed: () => void,
): void {
  const stream = upstream.tunnelStream;
  if (stream === undefined) return;
  let over = false;
  upstream.becomeTunnel({
    onData: (chunk) => {
      downstream.sent(chunk.length);
      if (!tunnel.write(chunk)) stream.pause();
    },
    onEnd: () => {
      if (over) return;
      over = true;
      tunnel.end();
      closed();
    },
    onDrain: () => tunnel.fromClient.resume(),
  });
  tunnel.fromClient.on('data', (chunk: Buffer) => {
    downstream.received(chunk.length);
    if (!stream.write(chunk)) tunnel.fromClient.pause();
  });
  tunnel.fromClient.on('end', () => {
    if (over) return;
    over = true;
    downstream.info.setFlag('DC');
    downstream.info.details = 'downstream_remote_disconnect';
    stream.reset();
    tunnel.destroy();
    closed();
  });
}
