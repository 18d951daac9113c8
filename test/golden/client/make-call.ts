// Makes one call of a case and says what the client saw, in the shape of a recording.
import type { CallSpec, ClientOutcome, HttpSpec, ResponseOutcome, TcpOutcome } from '../support.js';
import { type Channel, type Endpoint, openChannel } from './channel.js';
import { exchangeHttp1 } from './http1.js';
import { Http2Client } from './http2.js';

export interface CallLimits {
  /** Milliseconds that a raw call listens at most. */
  readonly listen: number;
  /** Milliseconds that an exchange or a handshake may take. */
  readonly exchange: number;
  /**
   * Milliseconds between a handshake and the first byte. A server that refuses the client's certificate closes with that
   * byte unread, and the reset may then overtake its alert.
   */
  readonly settle?: number;
}

/** Makes the call once, `repeat` or not. `endpoint` undefined: nobody listens there. */
export async function makeCall(
  call: CallSpec,
  endpoint: Endpoint | undefined,
  limits: CallLimits,
): Promise<ClientOutcome> {
  const started = performance.now();
  const connected = await openChannel(endpoint, {
    ...(call.tls === undefined ? {} : { tls: call.tls }),
    ...(call.before === undefined ? {} : { before: call.before }),
    timeout: limits.exchange,
  });
  if (connected.kind === 'refused') return { connect: 'refused' };
  if (connected.kind === 'failed') return { tls: connected.tls };
  const { channel, tls } = connected;
  if (tls !== undefined && limits.settle !== undefined) {
    const { settle } = limits;
    await new Promise((resolve) => setTimeout(resolve, settle));
  }
  try {
    const seen = await converse(call, channel, tls?.alpn, limits);
    return {
      ...(tls === undefined ? {} : { tls }),
      ...seen,
      ...(call.timing === true ? { elapsedMs: Math.round(performance.now() - started) } : {}),
    };
  } finally {
    channel.close();
  }
}

async function converse(
  call: CallSpec,
  channel: Channel,
  alpn: string | undefined,
  limits: CallLimits,
): Promise<ClientOutcome> {
  if (call.http !== undefined) {
    const [response] = await exchangeAll([call.http], call, channel, alpn, limits);
    return response === undefined ? {} : { response };
  }
  if (call.requests !== undefined) {
    return { responses: await exchangeAll(call.requests, call, channel, alpn, limits) };
  }
  return { tcp: await listen(call, channel, limits) };
}

async function exchangeAll(
  requests: readonly HttpSpec[],
  call: CallSpec,
  channel: Channel,
  alpn: string | undefined,
  limits: CallLimits,
): Promise<ResponseOutcome[]> {
  const isHttp2 = alpn === 'h2' || requests[0]?.version === '2';
  const client = isHttp2 ? new Http2Client(channel) : undefined;
  const responses: ResponseOutcome[] = [];
  for (const request of requests) {
    const deadline = performance.now() + limits.exchange;
    const response =
      client === undefined
        ? await exchangeHttp1(channel, request, deadline)
        : await client.exchange(request, call.tls !== undefined, deadline);
    responses.push(response);
    if (channel.ending !== undefined && response.status === undefined) break;
  }
  return responses;
}

async function listen(call: CallSpec, channel: Channel, limits: CallLimits): Promise<TcpOutcome> {
  if (call.send !== undefined && call.send !== '') channel.write(call.send);
  // A repeated call is about who answers: the answer is all there is to wait for.
  const isEnough = call.repeat === undefined ? () => false : () => channel.receivedLength > 0;
  await channel.until(isEnough, performance.now() + limits.listen);
  if (channel.ending?.alert !== undefined) return { alert: channel.ending.alert };
  const received = channel.received.toString('latin1');
  return channel.ending === undefined ? { open: true, received } : { ...channel.ending, received };
}
