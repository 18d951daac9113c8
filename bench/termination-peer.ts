// The peer of the termination benchmark: http2-proxy alone on node's own codecs, HTTP/1.1 and HTTP/2 over TLS by ALPN.
// It does what a gateway does to a request at the least: Host, x-forwarded-*, a request id; keep-alive to the upstream.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import http2Proxy from 'http2-proxy';
import { logLine } from './peer-log.js';

const [certificate = '', key = '', upstream = ''] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true });

const server = http2.createSecureServer({
  allowHTTP1: true,
  cert: readFileSync(certificate),
  key: readFileSync(key),
});
server.on('request', (request, response) => {
  logLine(request, response);
  http2Proxy.web(
    request as unknown as http.IncomingMessage,
    response as unknown as http.ServerResponse,
    {
      hostname: '127.0.0.1',
      port: Number(upstream),
      onReq: (_request: unknown, options: http.RequestOptions & { headers: Record<string, string> }) => {
        options.agent = agent;
        delete options.headers.forwarded;
        options.headers.host = request.authority || String(request.headers.host ?? '');
        options.headers['x-forwarded-for'] = String(request.socket.remoteAddress);
        options.headers['x-forwarded-proto'] = 'https';
        options.headers['x-request-id'] = randomUUID();
      },
    } as never,
    (error: unknown) => {
      if (error && !response.headersSent) {
        response.statusCode = 502;
        response.end();
      }
    },
  );
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.on('disconnect', () => process.exit());
