// Calls from outside: a URL with curl's letters, or JSON (interface: Call). Whatever is wrong comes back as a sentence.
import type { Call } from '../decide/decision.js';

/** What the flags say beside the URL. */
export interface UrlOptions {
  readonly method: string;
  /** `name: value`, or `name:` for an empty value, as in curl `name;`. */
  readonly headers: readonly string[];
  /** `undefined` = the URL's host; '' = none. */
  readonly sni: string | undefined;
  readonly alpn: readonly string[] | undefined;
  readonly port: string | undefined;
  readonly plaintext: boolean;
  readonly http2: boolean;
  readonly presentsCertificate: boolean;
  /** A number from 0 to 1. */
  readonly random: string | undefined;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 };

/**
 * The Call that curl would make of a URL. Schemes: http, https, ws, wss, and tcp and tls for bare connections. The path
 * stays as it is written: what is to be explained may be odd.
 */
export function callOfUrl(url: string, options: UrlOptions): Call | string {
  const parts = /^([a-z]+):\/\/(\[[^\]/?#]*\]|[^:/?#]*)(?::(\d*))?([^#]*)/i.exec(url);
  const scheme = parts?.[1]?.toLowerCase() ?? '';
  const host = parts?.[2] ?? '';
  if (parts === null || host === '' || !/^(?:https?|wss?|tcp|tls)$/.test(scheme))
    return `${url}: expected http, https, ws, wss, tcp or tls, then a host, as in https://shop.example.com/cart`;
  const written = parts[3] ?? '';
  const port =
    portOf(options.port ?? written) ??
    (options.port === undefined && written === '' ? DEFAULT_PORTS[scheme] : undefined);
  if (port === undefined)
    return `${options.port === undefined ? url : `--port ${options.port}`}: expected a port from 1 to 65535`;
  const headers = headersOf(options.headers);
  if (typeof headers === 'string') return headers;
  const random = options.random === undefined ? undefined : Number(options.random);
  if (random !== undefined && !(random >= 0 && random <= 1)) return `--random ${options.random}: expected 0 to 1`;
  const isRaw = scheme === 'tcp' || scheme === 'tls';
  const isTls = !options.plaintext && /^(?:https|wss|tls)$/.test(scheme);
  // As in clients: the default port is left out.
  const authority = written === '' || Number(written) === DEFAULT_PORTS[scheme] ? host : `${host}:${written}`;
  const hostHeader = Object.keys(headers).find((name) => name.toLowerCase() === 'host');
  const named = hostHeader === undefined ? authority : String(headers[hostHeader]);
  if (hostHeader !== undefined) delete headers[hostHeader];
  const path = parts[4] ?? '';
  return {
    port,
    protocol: isRaw ? 'tcp' : options.http2 ? 'http2' : 'http',
    tls: isTls ? (options.presentsCertificate ? 'mtls' : 'tls') : 'plaintext',
    // The name is that of the URL, also where a Host header says otherwise.
    ...(isTls ? { sni: options.sni ?? host } : {}),
    ...(options.alpn === undefined ? {} : { alpn: options.alpn }),
    host: named,
    method: options.method,
    path: path.startsWith('/') ? path : `/${path}`,
    headers: scheme.startsWith('ws') ? { ...UPGRADE, ...headers } : headers,
    ...(random === undefined ? {} : { random }),
  };
}

const UPGRADE: Readonly<Record<string, string>> = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

function portOf(text: string): number | undefined {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

function headersOf(lines: readonly string[]): Record<string, string | readonly string[]> | string {
  const headers: Record<string, string | readonly string[]> = {};
  for (const line of lines) {
    const parts = /^([^\s:;]+)(?:;|:\s*(.*))$/.exec(line);
    if (parts === null) return `-H '${line}': expected 'name: value'`;
    const [, name = '', value = ''] = parts;
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

/** A JSON array of Calls; a sentence names the first one that is none. */
export function parseCalls(json: string): readonly Call[] | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (!Array.isArray(value)) return 'expected an array of calls';
  const calls: Call[] = [];
  for (const [position, entry] of value.entries()) {
    const wrong = callProblem(entry);
    if (wrong !== undefined) return `call ${position}: ${wrong}`;
    calls.push(entry as Call);
  }
  return calls;
}

const TEXTS = ['sni', 'host', 'method', 'path'] as const;
const FIELDS = new Set<string>([...TEXTS, 'port', 'protocol', 'tls', 'alpn', 'headers', 'random']);

function callProblem(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return 'expected an object';
  const call = entry as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(call).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) return `unknown field ${unknown}`;
  const { port, protocol, tls, alpn, headers, random } = call;
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65535)
    return 'port: expected a port number';
  if (protocol !== undefined && protocol !== 'http' && protocol !== 'http2' && protocol !== 'tcp')
    return 'protocol: expected http, http2 or tcp';
  if (tls !== undefined && tls !== 'plaintext' && tls !== 'tls' && tls !== 'mtls')
    return 'tls: expected plaintext, tls or mtls';
  for (const field of TEXTS)
    if (call[field] !== undefined && typeof call[field] !== 'string') return `${field}: expected a string`;
  if (alpn !== undefined && !isTexts(alpn)) return 'alpn: expected an array of strings';
  if (random !== undefined && !(typeof random === 'number' && random >= 0 && random <= 1))
    return 'random: expected 0 to 1';
  if (headers === undefined) return undefined;
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return 'headers: expected an object';
  const odd = Object.entries(headers).find(([, value]) => typeof value !== 'string' && !isTexts(value));
  return odd === undefined ? undefined : `headers: ${odd[0]}: expected a string or an array of strings`;
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}
