// A stub that answers as it is told, one answer per request: the `upstreams` of contract files.
import { type EchoStub, type StubOptions, startEchoStub } from './echo-stub.js';
import type { HeaderList, HttpRequest, Reply } from './received.js';

/** One answer. Without `body`, `status` and the rest: 200 and nothing. */
export interface StubAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** Milliseconds before it. */
  readonly delay?: number;
  /** Resets the connection (over HTTP/2: the stream) instead of answering. */
  readonly reset?: boolean;
  /** Closes the connection instead of answering. */
  readonly close?: boolean;
  readonly trailers?: Readonly<Record<string, string>>;
  /** A gRPC answer with this status, in its trailers. */
  readonly grpcStatus?: number;
}

/** A listening stub whose answers can be started over. */
export interface RespondingStub extends EchoStub {
  /** The next request gets the first answer. */
  rewind(): void;
}

/** RST_STREAM with INTERNAL_ERROR. */
const INTERNAL_ERROR = 2;

/**
 * Starts a stub with a list of answers, one per request; when they are used up the last one is repeated. An empty list
 * echoes.
 *
 *     const stub = await startRespondingStub({ name: 'web', answers: [{ status: 503 }, { status: 200, body: 'ok' }] });
 */
export async function startRespondingStub(
  options: Omit<StubOptions, 'answer'> & { readonly answers: readonly StubAnswer[] },
): Promise<RespondingStub> {
  const { answers, ...rest } = options;
  let next = 0;
  const timers = new Set<NodeJS.Timeout>();
  const answer = (request: HttpRequest, reply: Reply): void => {
    const chosen = answers[Math.min(next, answers.length - 1)] as StubAnswer;
    next++;
    if (chosen.delay === undefined || chosen.delay === 0) {
      give(chosen, request, reply);
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      give(chosen, request, reply);
    }, chosen.delay);
    timers.add(timer);
  };
  const stub = await startEchoStub({ ...rest, ...(answers.length === 0 ? {} : { answer }) });
  return {
    ...stub,
    rewind: () => {
      next = 0;
    },
    close: () => {
      for (const timer of timers) clearTimeout(timer);
      return stub.close();
    },
  };
}

function give(answer: StubAnswer, request: HttpRequest, reply: Reply): void {
  if (answer.reset === true) {
    reply.reset(request.protocol === 'HTTP/2' ? INTERNAL_ERROR : undefined);
    return;
  }
  if (answer.close === true) {
    reply.close();
    return;
  }
  const isGrpc = answer.grpcStatus !== undefined;
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    for (const line of typeof value === 'string' ? [value] : value) headers.push([name, line]);
  }
  const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
  if (!hasType && isGrpc) headers.push(['content-type', 'application/grpc']);
  else if (!hasType && answer.body !== undefined) headers.push(['content-type', 'text/plain']);
  const trailers: HeaderList = [
    ...(isGrpc ? ([['grpc-status', String(answer.grpcStatus)]] as const) : []),
    ...Object.entries(answer.trailers ?? {}),
  ];
  reply.respond({
    status: answer.status ?? 200,
    headers,
    body: Buffer.from(answer.body ?? ''),
    ...(trailers.length === 0 ? {} : { trailers, chunked: true }),
  });
}
