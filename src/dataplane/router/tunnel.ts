// Raw bytes both ways behind a 101 (spec dataplane.md §3.12). Not through the engine's `ws`: that ends both sides with
// the first FIN, where Envoy forwards the half-close, and takes only `websocket` in lower case.
import type { ServerTunnel } from '../codec/stream.js';
import type { Downstream } from './exchange.js';
import type { UpstreamRequest } from './upstream-request.js';

/** `closed` is called once, when both directions are over or the upstream broke off. */
export function joinTunnel(
  tunnel: ServerTunnel,
  upstream: UpstreamRequest,
  downstream: Downstream,
  closed: () => void,
): void {
  const stream = upstream.tunnelStream;
  if (stream === undefined) return;
  let clientEnded = false;
  let upstreamEnded = false;
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    tunnel.destroy();
    closed();
  };
  upstream.becomeTunnel({
    onData: (chunk) => {
      downstream.sent(chunk.length);
      if (!tunnel.write(chunk)) stream.pause();
    },
    onEnd: () => {
      upstreamEnded = true;
      tunnel.end();
      if (clientEnded) finish();
    },
    onDrain: () => tunnel.fromClient.resume(),
    onReset: finish,
  });
  tunnel.fromClient.on('data', (chunk: Buffer) => {
    downstream.received(chunk.length);
    if (!stream.write(chunk)) tunnel.fromClient.pause();
  });
  tunnel.fromClient.on('end', () => {
    clientEnded = true;
    if (!upstreamEnded) {
      // The log says who went first (spec dataplane.md §3.12).
      downstream.info.setFlag('DC');
      downstream.info.details = 'downstream_remote_disconnect';
    }
    stream.end();
    if (upstreamEnded) finish();
  });
}
