// `gateway.fetch`: options to a request, a connection of its own, the outcome.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Observation } from '../observation.js';
import {
  ANYTHING,
  checkOptions,
  LIST_OF_TEXTS,
  NUMBER,
  OptionError,
  type OptionRule,
  PLAIN_OBJECT,
  TEXT,
  YES_OR_NO,
} from '../option-error.js';
import type { RunningGateway } from '../run.js';
import type { ClientCertificate, TlsVersion } from './client-connection.js';
import { openSession, type SessionRequest, type SessionTarget } from './client-session.js';
import type { HeaderLines } from './exchange.js';
import type { Reply } from './reply.js';

/** How a request differs from a plain GET. */
export interface FetchOptions {
  /** Default GET, or POST with a body. */
  readonly method?: string;
  /** A list sends the header several times; `host` replaces the authority of the URL. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
  /** PEM texts, or paths of PEM files; default: no certificate is presented. */
  readonly client?: {
    /** The leaf first, then intermediates. */
    readonly cert: string | Uint8Array;
    readonly key: string | Uint8Array;
  };
  /** Default: the host of the URL; '' = none is sent. */
  readonly sni?: string;
  /** Protocols to offer; [] = none. Default: `http/1.1`, or `h2` with `http2`. */
  readonly alpn?: readonly string[];
  /** Server port as written in a Gateway (443), or container port (8443); default: the URL's. */
  readonly port?: number;
  /** True: no TLS although the URL says https. */
  readonly plaintext?: boolean;
  /** True: HTTP/2, by ALPN or, on plaintext, by prior knowledge. */
  readonly http2?: boolean;
  /** The only TLS version to offer: 'TLSv1.2'. Default: 1.2 and 1.3. */
  readonly tlsVersion?: TlsVersion;
  /** Milliseconds for the connection, and again for the answer; default 30 000. */
  readonly timeout?: number;
}

const OPTIONS: Readonly<Record<keyof FetchOptions, OptionRule>> = {
  method: TEXT,
  headers: PLAIN_OBJECT,
  body: { holds: (value) => typeof value === 'string' || value instanceof Uint8Array, expected: 'text or bytes' },
  client: PLAIN_OBJECT,
  sni: TEXT,
  alpn: LIST_OF_TEXTS,
  port: ANYTHING,
  plaintext: YES_OR_NO,
  http2: YES_OR_NO,
  tlsVersion: ANYTHING,
  timeout: NUMBER,
};

const TLS_VERSIONS: readonly string[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DEFAULT_TIMEOUT = 30_000;

/** Sends one request over a connection of its own. Rejects with an OptionError for options that cannot be, else never. */
export async function fetchFrom(
  gateway: RunningGateway,
  observation: Observation,
  url: string,
  options: FetchOptions,
): Promise<Reply> {
  const { target, request } = planFetch(url, options);
  const session = await openSession(gateway, observation, target);
  try {
    return await session.send(request, true);
  } finally {
    session.close();
  }
}

/** What a URL and options mean on the wire. Throws an OptionError. */
export function planFetch(
  url: string | URL,
  options: FetchOptions,
): { readonly target: SessionTarget; readonly request: SessionRequest } {
  checkOptions('fetch', options, OPTIONS);
  const parts = splitUrl(String(url));
  const { timeout = DEFAULT_TIMEOUT, http2 = false, tlsVersion } = options;
  const port = options.port ?? parts.port;
  if (!Number.isInteger(port) || port < 1 || port > 65535) fail('port', `${String(port)} is no port`);
  if (!(timeout > 0)) fail('timeout', 'expected milliseconds above 0');
  if (tlsVersion !== undefined && !TLS_VERSIONS.includes(tlsVersion)) {
    fail('tlsVersion', `expected one of ${TLS_VERSIONS.join(', ')}`);
  }
  const client = options.client === undefined ? undefined : readClient(options.client);
  const isTls = parts.scheme === 'https' && options.plaintext !== true;
  const alpn = options.alpn ?? (http2 ? ['h2'] : ['http/1.1']);
  const headers = headerLines(options.headers ?? {});
  const body = typeof options.body === 'string' ? Buffer.from(options.body) : Buffer.from(options.body ?? []);
  const method = options.method ?? (body.length > 0 ? 'POST' : 'GET');
  if (!TOKEN.test(method)) fail('method', `'${method}' is no method`);
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1];
  return {
    target: {
      port,
      ...(isTls
        ? {
            tls: {
              serverName: options.sni ?? serverNameOf(parts.host),
              alpn,
              ...(client === undefined ? {} : { client }),
              ...(tlsVersion === undefined ? {} : { version: tlsVersion }),
            },
          }
        : {}),
      http2: http2 || (options.alpn?.includes('h2') === true && !options.alpn.includes('http/1.1')),
      timeout,
    },
    request: {
      method,
      path: parts.path,
      authority: host ?? parts.authority,
      headers: headers.filter(([name]) => name.toLowerCase() !== 'host'),
      body,
    },
  };
}

interface UrlParts {
  readonly scheme: 'http' | 'https';
  /** As a client sends it: without the scheme's own port. */
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  /** As written: what a path is, the gateway decides. */
  readonly path: string;
}

/** Takes a URL apart without tidying it: `/a/../b` must arrive as it is. Throws an OptionError. */
export function splitUrl(url: string): UrlParts {
  const match = /^(https?):\/\/([^/?#\s]+)([^#\s]*)(?:#\S*)?$/i.exec(url);
  const authority = match?.[2] ?? '';
  const named = /^(\[[^\]]+\]|[^:@[\]]+)(?::(\d{1,5}))?$/.exec(authority);
  if (match === null || named === null) {
    throw new OptionError('url', `fetch: '${url}' is no URL of the form https://HOST[:PORT]/PATH`);
  }
  const scheme = (match[1] as string).toLowerCase() as 'http' | 'https';
  const usual = scheme === 'https' ? 443 : 80;
  const host = named[1] as string;
  const port = named[2] === undefined ? usual : Number(named[2]);
  const rest = match[3] ?? '';
  return {
    scheme,
    host,
    port,
    authority: port === usual ? host : authority,
    path: rest.startsWith('/') ? rest : `/${rest}`,
  };
}

function serverNameOf(host: string): string {
  return isIP(host) !== 0 || host.startsWith('[') ? '' : host;
}

function headerLines(headers: NonNullable<FetchOptions['headers']>): HeaderLines {
  const lines: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name)) fail(`headers.${name}`, 'is no header name');
    for (const line of Array.isArray(value) ? value : [value]) {
      if (typeof line !== 'string') fail(`headers.${name}`, 'expected text or a list of texts');
      if (/[\0\r\n]/.test(line)) fail(`headers.${name}`, 'a header value has no line breaks');
      // Bytes as characters: text outside Latin-1 goes as UTF-8.
      lines.push([name, /^[\x00-\xff]*$/.test(line) ? line : Buffer.from(line, 'utf8').toString('latin1')]);
    }
  }
  return lines;
}

function readClient({ cert, key }: NonNullable<FetchOptions['client']>): ClientCertificate {
  return { cert: readPem('client.cert', cert, 'CERTIFICATE'), key: readPem('client.key', key, 'PRIVATE KEY') };
}

function readPem(option: string, given: unknown, kind: string): string {
  let text = given instanceof Uint8Array ? Buffer.from(given).toString('latin1') : given;
  if (typeof text === 'string' && text !== '' && !text.includes('-----BEGIN ')) {
    try {
      text = readFileSync(text, 'latin1');
    } catch (error) {
      fail(option, error instanceof Error ? error.message : String(error));
    }
  }
  if (typeof text !== 'string' || !new RegExp(`-----BEGIN [A-Z ]*${kind}-----`).test(text)) {
    fail(option, `expected the PEM text of a ${kind.toLowerCase()}, or the path of one`);
  }
  return text as string;
}

function fail(option: string, why: string): never {
  throw new OptionError(option, `fetch: ${option}: ${why}`);
}
