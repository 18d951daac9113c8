// The access log of the peers that are scripts: a line per answer on standard output, when BENCH_ACCESS_LOG asks for one.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

const isOn = process.env['BENCH_ACCESS_LOG'] !== undefined;

/** Writes the line when the answer is out. */
export function logLine(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): void {
  if (!isOn) return;
  const began = performance.now();
  response.once('finish', () => {
    const took = (performance.now() - began).toFixed(1);
    const head = `${request.method} ${request.url} HTTP/${request.httpVersion}`;
    say(`"${head}" ${response.statusCode} ${took} "${request.headers['user-agent'] ?? '-'}"`);
  });
}

/** Writes the line of a connection. */
export function logConnection(name: string, began: number): void {
  if (isOn) say(`${name} ${(performance.now() - began).toFixed(1)}`);
}

function say(text: string): void {
  process.stdout.write(`[${new Date().toISOString()}] ${text}\n`);
}
