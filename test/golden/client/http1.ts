// HTTP/1.1 as the recorder's client spoke it: the head is written verbatim, the answer is read plainly.
import type { HttpSpec, Pairs, ResponseOutcome } from '../support.js';
import type { Channel } from './channel.js';

/** Sends one request and reads its response. `deadline` on the performance clock. */
export async function exchangeHttp1(channel: Channel, spec: HttpSpec, deadline: number): Promise<ResponseOutcome> {
  channel.write(renderRequest(spec));
  const informational: { status: number; headers: Pairs }[] = [];
  for (;;) {
    const head = await readHead(channel, deadline);
    if (head === undefined) return unfinished(channel);
    if (head.status >= 100 && head.status < 200 && head.status !== 101) {
      informational.push({ status: head.status, headers: head.headers });
      continue;
    }
    const body = await readBody(channel, spec, head, deadline);
    if (body === undefined) return unfinished(channel);
    const upgraded =
      head.status === 101 && spec.then !== undefined ? await talkOn(channel, spec.then, deadline) : undefined;
    return {
      version: head.version,
      status: head.status,
      reason: head.reason,
      headers: head.headers,
      body: body.body,
      ...(body.trailers.length === 0 ? {} : { trailers: body.trailers }),
      ...(informational.length === 0 ? {} : { informational }),
      ...(upgraded === undefined ? {} : { upgraded }),
    };
  }
}

function renderRequest(spec: HttpSpec): string {
  const { method = 'GET', path = '/', proto = 'HTTP/1.1', host, headers = [], body } = spec;
  const lines = [`${method} ${path} ${proto}`];
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  const framed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  if (body !== undefined && !framed) lines.push(`Content-Length: ${body.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

interface Head {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly headers: Pairs;
}

async function readHead(channel: Channel, deadline: number): Promise<Head | undefined> {
  let end = -1;
  const complete = await channel.until(() => {
    end = channel.received.indexOf('\r\n\r\n');
    return end !== -1;
  }, deadline);
  if (!complete) return undefined;
  const lines = channel
    .take(end + 4)
    .toString('latin1', 0, end)
    .split('\r\n');
  const [version = '', status = '', ...reason] = (lines.shift() ?? '').split(' ');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { version, status: Number(status), reason: reason.join(' '), headers };
}

interface Body {
  readonly body: string;
  readonly trailers: Pairs;
}

async function readBody(channel: Channel, spec: HttpSpec, head: Head, deadline: number): Promise<Body | undefined> {
  const value = (name: string): string | undefined => head.headers.find(([key]) => key.toLowerCase() === name)?.[1];
  const nothing: Body = { body: '', trailers: [] };
  if (spec.method === 'HEAD' || head.status === 101 || head.status === 204 || head.status === 304) return nothing;
  if (value('transfer-encoding')?.toLowerCase() === 'chunked') return readChunks(channel, deadline);
  const length = value('content-length');
  if (length !== undefined) {
    const count = Number(length);
    if (!(await channel.until(() => channel.receivedLength >= count, deadline))) return undefined;
    return { body: channel.take(count).toString('latin1'), trailers: [] };
  }
  await channel.until(() => false, deadline);
  return { body: channel.take(channel.receivedLength).toString('latin1'), trailers: [] };
}

async function readChunks(channel: Channel, deadline: number): Promise<Body | undefined> {
  const line = async (): Promise<string | undefined> => {
    let end = -1;
    const complete = await channel.until(() => {
      end = channel.received.indexOf('\r\n');
      return end !== -1;
    }, deadline);
    return complete ? channel.take(end + 2).toString('latin1', 0, end) : undefined;
  };
  const parts: string[] = [];
  for (;;) {
    const size = await line();
    if (size === undefined) return undefined;
    const count = Number.parseInt(size, 16);
    if (count === 0) break;
    if (!(await channel.until(() => channel.receivedLength >= count + 2, deadline))) return undefined;
    parts.push(channel.take(count + 2).toString('latin1', 0, count));
  }
  const trailers: [string, string][] = [];
  for (;;) {
    const text = await line();
    if (text === undefined) return undefined;
    if (text === '') return { body: parts.join(''), trailers };
    const colon = text.indexOf(':');
    trailers.push([text.slice(0, colon), text.slice(colon + 1).trim()]);
  }
}

async function talkOn(channel: Channel, then: string, deadline: number): Promise<string> {
  channel.write(then);
  await channel.until(() => channel.receivedLength >= then.length, Math.min(deadline, performance.now() + 1000));
  return channel.take(channel.receivedLength).toString('latin1');
}

function unfinished(channel: Channel): ResponseOutcome {
  return channel.ending ?? { timeout: true };
}
