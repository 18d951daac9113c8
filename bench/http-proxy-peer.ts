// http-proxy alone, as people put it in front of a service: HTTP/1.1 over TLS, keep-alive to the service. The package is
// no dependency of ours; `bench/install-peers.mjs` brings it.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { logLine } from './peer-log.js';

interface HttpProxy {
  web(request: http.IncomingMessage, response: http.ServerResponse): void;
  on(
    event: 'error',
    listener: (error: Error, request: http.IncomingMessage, response: http.ServerResponse) => void,
  ): void;
}

const [folder = '', certificate = '', key = '', upstream = ''] = process.argv.slice(2);
const { createProxyServer } = createRequire(path.join(folder, 'package.json'))('http-proxy') as {
  createProxyServer(options: Readonly<Record<string, unknown>>): HttpProxy;
};
const proxy = createProxyServer({
  target: { host: '127.0.0.1', port: Number(upstream) },
  agent: new http.Agent({ keepAlive: true }),
  xfwd: true,
});
proxy.on('error', (_error, _request, response) => {
  if (!response.headersSent) response.writeHead(502);
  response.end();
});
const server = https.createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => {
  logLine(request, response);
  proxy.web(request, response);
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit());
