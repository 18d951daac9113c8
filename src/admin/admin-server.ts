// The admin listener: Envoy's paths over plain HTTP, on loopback only (spec dataplane.md §8.1). Everything it shows is
// public form: no private key is reachable from here.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RunningGateway } from '../gateway/run.js';
import { dumpSnapshot } from '../translate/published.js';
import { isLoopback, renderSocketAddress } from '../xds/index.js';
import { renderConfigDump } from './config-dump.js';

/** What the admin listener binds to and shows. */
export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly gateway: RunningGateway;
  readonly version: string;
  /** Text of `/clusters`, `/stats` and `/stats/prometheus`; asked at each request. */
  readonly clusters: () => string;
  readonly stats: (filter: string | undefined) => string;
  readonly prometheus: () => string;
}

/** A listening admin server. */
export interface AdminServer {
  /** `127.0.0.1:15000`. */
  readonly address: string;
  close(): Promise<void>;
}

/** Thrown for an address that others could reach. */
export class AdminAddressError extends Error {
  override readonly name = 'AdminAddressError';
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Starts the admin listener; rejects with AdminAddressError, or Node's error when the port is in use. */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  if (!isLoopback(options.host) && options.host !== 'localhost') {
    throw new AdminAddressError(`the admin listener binds to loopback only, not to ${options.host}`);
  }
  const started = performance.now();
  const server = http.createServer((request, response) => {
    const { status, type, body } = answer(request, options, started);
    response.writeHead(status, {
      'content-type': type,
      'cache-control': 'no-cache, max-age=0',
      'x-content-type-options': 'nosniff',
      server: 'envoy',
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  server.unref();
  const { address, port } = server.address() as AddressInfo;
  return {
    address: renderSocketAddress(address, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const TEXT = 'text/plain; charset=UTF-8';
const JSON_TYPE = 'application/json';

const HELP: Readonly<Record<string, string>> = {
  '/clusters': 'upstream cluster status',
  '/config_dump': 'dump current Envoy configs (postern: without private keys)',
  '/listeners': 'print listener info',
  '/ready': 'print server state, return 200 if LIVE, otherwise return 503',
  '/server_info': 'print server version/status information',
  '/stats': 'print server stats',
  '/stats/prometheus': 'print server stats in prometheus format',
};

function answer(request: http.IncomingMessage, options: AdminOptions, started: number): Answer {
  // A page of another origin must not read the admin listener through a name that it points at loopback.
  if (!isLocalHost(request.headers.host)) return { status: 403, type: TEXT, body: 'Host is not a loopback name\n' };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: TEXT, body: `Method ${request.method} not allowed, GET required.` };
  }
  const { path, query } = splitTarget(request.url ?? '/');
  switch (path) {
    case '/ready': {
      const state = stateOf(options.gateway);
      return { status: state === 'LIVE' ? 200 : 503, type: TEXT, body: `${state}\n` };
    }
    case '/server_info':
      return {
        status: 200,
        type: JSON_TYPE,
        body: `${JSON.stringify({
          version: `postern/${options.version}`,
          state: stateOf(options.gateway),
          uptime_current_epoch: `${Math.floor((performance.now() - started) / 1000)}s`,
        })}\n`,
      };
    case '/listeners':
      return {
        status: 200,
        type: TEXT,
        body: options.gateway.listeners
          .map(({ name, address, boundPort }) => `${name}::${address}:${boundPort}\n`)
          .join(''),
      };
    case '/clusters':
      return { status: 200, type: TEXT, body: options.clusters() };
    case '/config_dump': {
      const dump = renderConfigDump(dumpSnapshot(options.gateway.snapshot), query.has('include_eds'), options.version);
      return { status: 200, type: JSON_TYPE, body: `${JSON.stringify(dump, null, 1)}\n` };
    }
    case '/stats':
      return { status: 200, type: TEXT, body: options.stats(query.get('filter') ?? undefined) };
    case '/stats/prometheus':
      return { status: 200, type: 'text/plain; version=0.0.4', body: options.prometheus() };
    default: {
      const help = Object.entries(HELP).map(([command, text]) => `  ${command}: ${text}\n`);
      const isHome = path === '/' || path === '/help';
      return {
        status: isHome ? 200 : 404,
        type: TEXT,
        body: `${isHome ? '' : 'invalid path. '}admin commands are:\n${help.join('')}`,
      };
    }
  }
}

// As Envoy does: whatever stands before the `?` is the path. `new URL` would throw on targets such as `//`.
function splitTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = target.indexOf('?');
  return mark === -1
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) };
}

function stateOf(gateway: RunningGateway): string {
  switch (gateway.state) {
    case 'live':
      return 'LIVE';
    case 'initializing':
      return 'INITIALIZING';
    case 'draining':
      return 'DRAINING';
    default: {
      const unreachable: never = gateway.state;
      return unreachable;
    }
  }
}

function isLocalHost(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return name === 'localhost' || isLoopback(name);
}
