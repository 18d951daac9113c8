// The recordings as questions to the pure side: their xds.json is a snapshot, their calls become facts.
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import type { Call } from '../../src/decide/decision.js';
import { HeaderMap } from '../../src/filters/header-map.js';
import { checkHttp1Head } from '../../src/filters/http1-head.js';
import type { LocalReply } from '../../src/filters/local-reply.js';
import type { RequestHead } from '../../src/filters/request-head.js';
import {
  type ConnectionFacts,
  type FilterChain,
  type HttpConnectionManager,
  isIpv4,
  isIpv6,
  type ListenerEntry,
  type PeerCertificate,
  type Snapshot,
  type TlsFacts,
} from '../../src/xds/index.js';

export interface CallHttp {
  readonly method?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly version?: number;
  readonly proto?: string;
  readonly then?: string;
}

export interface GoldenCall {
  readonly name: string;
  readonly port: number;
  readonly address?: string;
  readonly tls?: {
    readonly sni?: string;
    readonly alpn?: readonly string[];
    readonly cert?: string;
    readonly min?: string;
    readonly max?: string;
    readonly ciphers?: string;
  };
  readonly http?: CallHttp;
  readonly requests?: readonly CallHttp[];
  readonly send?: string;
  readonly before?: string;
  readonly repeat?: number;
}

export interface RecordedResponse {
  readonly version?: string;
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly closed?: string;
  readonly alert?: string;
}

export interface RecordedUpstream {
  readonly server: string;
  readonly protocol: string;
  readonly method?: string;
  readonly scheme?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
}

export interface RecordedLog {
  readonly status?: number;
  readonly flags?: string;
  readonly details?: string;
  readonly cluster?: string;
  readonly route?: string;
  readonly sni?: string;
  readonly path?: string;
  readonly upstream_path?: string;
  readonly authority?: string;
  readonly upstream?: string;
  readonly attempts?: number;
  readonly downstream_tls_failure?: string;
  readonly tls_cipher?: string;
}

export interface RecordedCall {
  readonly name: string;
  readonly connect?: string;
  readonly tls?: {
    readonly handshake: string;
    readonly version?: string;
    readonly alpn?: string;
    readonly serverCert?: string;
    readonly closed?: string;
    readonly alert?: string;
  };
  readonly response?: RecordedResponse;
  readonly tcp?: {
    readonly received?: string;
    readonly closed?: string;
    readonly open?: boolean;
    readonly alert?: string;
  };
  readonly upstream?: readonly RecordedUpstream[];
  readonly log?: readonly RecordedLog[];
}

export interface GoldenCase {
  /** 'routing/redirect'. */
  readonly name: string;
  readonly calls: readonly GoldenCall[];
  readonly recorded: readonly RecordedCall[];
  readonly snapshot: Snapshot;
}

export function loadGoldenCases(root: string): GoldenCase[] {
  const cases: GoldenCase[] = [];
  for (const area of readdirSync(root).sort()) {
    const folder = path.join(root, area);
    if (area === 'certs' || !existsSync(folder) || area.includes('.')) continue;
    for (const name of readdirSync(folder).sort()) {
      const directory = path.join(folder, name);
      if (!existsSync(path.join(directory, 'recorded.json')) || !existsSync(path.join(directory, 'xds.json'))) continue;
      const read = (file: string) => readFileSync(path.join(directory, file), 'utf8');
      const { calls } = parse(read('case.yaml'), { merge: true, maxAliasCount: -1 }) as { calls: GoldenCall[] };
      const { calls: recorded } = JSON.parse(read('recorded.json')) as { calls: RecordedCall[] };
      cases.push({ name: `${area}/${name}`, calls, recorded, snapshot: toSnapshot(JSON.parse(read('xds.json'))) });
    }
  }
  return cases;
}

interface RecordedXds {
  readonly listeners: readonly ListenerEntry[];
  readonly routes: Snapshot['routes'];
  readonly clusters: Snapshot['clusters'];
  readonly endpoints: Snapshot['endpoints'];
  readonly secrets: { readonly active: readonly string[] };
}

/** What the recordings leave out: labels, material of Secrets, facts of the proxy (only loopback interfaces there). */
function toSnapshot(xds: RecordedXds): Snapshot {
  const secrets: Record<string, Snapshot['secrets'][string]> = {};
  for (const name of xds.secrets.active) {
    const isCa = name === 'ROOTCA' || name.startsWith('file-root:') || name.endsWith('-cacert');
    secrets[name] = isCa
      ? { kind: 'validation_context', trustedCa: '' }
      : { kind: 'tls_certificate', certificateChain: '', privateKey: '' };
  }
  const { listeners, routes, clusters, endpoints } = xds;
  return { listeners, routes, clusters, endpoints, secrets, accessLog: {}, node: { ipAddress: '127.0.0.1' } };
}

export function connectionFacts(entry: ListenerEntry, call: GoldenCall): ConnectionFacts {
  return {
    listener: entry.name,
    transportProtocol: call.tls === undefined ? 'raw_buffer' : 'tls',
    serverName: sentName(call),
    applicationProtocols: call.tls?.alpn ?? [],
    source: { address: '127.0.0.1', port: 40_000 },
    destination: { address: call.address ?? '127.0.0.1', port: call.port },
  };
}

/** Lower case; client libraries do not send an IP literal. */
function sentName(call: GoldenCall): string {
  const name = (call.tls?.sni ?? '').toLowerCase();
  return isIpv4(name) || isIpv6(name) ? '' : name;
}

export function tlsFacts(
  root: string,
  call: GoldenCall,
  recorded: RecordedCall,
  chain: FilterChain,
): TlsFacts | undefined {
  if (call.tls === undefined || recorded.tls === undefined) return undefined;
  const context = chain.transport_socket?.typed_config.common_tls_context;
  const asks = context?.combined_validation_context !== undefined || context?.validation_context !== undefined;
  const cert = asks ? call.tls.cert : undefined;
  const isMesh = context?.tls_certificate_sds_secret_configs?.some(({ name }) => name === 'default') === true;
  const own = isMesh ? peerCertificate(path.join(root, 'certs/mesh/cert.pem')) : undefined;
  const server = recorded.tls.serverCert ?? '';
  return {
    version: (recorded.tls.version ?? 'TLSv1.3') as TlsFacts['version'],
    cipher: recorded.log?.[0]?.tls_cipher ?? '',
    alpn: recorded.tls.alpn ?? '',
    serverName: sentName(call),
    localUriSans: own?.uriSans ?? [],
    localSubject: `CN=${server},O=postern test`,
    localDnsSans: [server],
    ...(cert === undefined ? {} : { peerCertificate: peerCertificate(path.join(root, 'certs', `${cert}.pem`)) }),
  };
}

function peerCertificate(file: string): PeerCertificate {
  const x509 = new X509Certificate(readFileSync(file));
  const sans = (x509.subjectAltName ?? '').split(', ').filter((san) => san !== '');
  const of = (prefix: string) => sans.filter((san) => san.startsWith(prefix)).map((san) => san.slice(prefix.length));
  return {
    pem: x509.toString(),
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    sha1: x509.fingerprint.replaceAll(':', '').toLowerCase(),
    subject: reversedName(x509.subject),
    issuer: reversedName(x509.issuer),
    serialNumber: x509.serialNumber.toLowerCase(),
    uriSans: of('URI:'),
    dnsSans: of('DNS:'),
    validFrom: Date.parse(x509.validFrom),
    validTo: Date.parse(x509.validTo),
  };
}

/** RFC 2253 order is the reverse of the certificate's. */
function reversedName(name: string): string {
  return name.split('\n').reverse().join(',');
}

/** The same call as a question to `decide`. */
export function toCall(call: GoldenCall): Call {
  const { http, tls } = call;
  const headers: Record<string, string[]> = {};
  for (const [name, value] of http?.headers ?? []) {
    const key = name.toLowerCase();
    headers[key] ??= [];
    headers[key].push(value);
  }
  if (http?.body !== undefined && headers['transfer-encoding'] === undefined)
    headers['content-length'] ??= [String(Buffer.byteLength(http.body))];
  const alpn = tls?.alpn ?? (tls === undefined ? undefined : []);
  return {
    port: call.port,
    protocol: http?.version === 2 ? 'http2' : 'http',
    tls: tls === undefined ? 'plaintext' : tls.cert === undefined ? 'tls' : 'mtls',
    ...(tls === undefined ? {} : { sni: tls.sni ?? '' }),
    ...(alpn === undefined ? {} : { alpn }),
    ...(http?.host === undefined ? {} : { host: http.host }),
    ...(http?.method === undefined ? {} : { method: http.method }),
    path: http?.path ?? '/',
    headers,
  };
}

export type HeadOfCall =
  | { readonly kind: 'head'; readonly head: RequestHead }
  | { readonly kind: 'error'; readonly reply: LocalReply };

/** The head that a codec would make of a call's request. */
export function requestHead(
  http: CallHttp,
  connection: ConnectionFacts,
  tls: TlsFacts | undefined,
  manager: HttpConnectionManager,
): HeadOfCall {
  const isHttp2 = http.version === 2 || tls?.alpn === 'h2';
  const raw: string[] = [];
  for (const [name, value] of http.headers ?? []) raw.push(name.toLowerCase(), latin1(value).trim());
  const hasLength = raw.some((text, i) => i % 2 === 0 && (text === 'content-length' || text === 'transfer-encoding'));
  if (http.body !== undefined && !hasLength) raw.push('content-length', String(Buffer.byteLength(http.body)));
  const endStream = http.body === undefined;
  const method = http.method ?? 'GET';
  const rest = { method, endStream, connection, tls };
  if (isHttp2) {
    const path = Buffer.from(http.path ?? '/', 'utf8').toString('latin1');
    const head = {
      ...rest,
      protocol: 'HTTP/2' as const,
      authority: http.host,
      path,
      scheme: http.scheme ?? (tls ? 'https' : 'http'),
    };
    return { kind: 'head', head: { ...head, headers: new HeaderMap(raw) } };
  }
  if (http.host !== undefined) raw.unshift('host', http.host);
  const target = Buffer.from(http.path ?? '/', 'latin1').toString('latin1');
  const protocol =
    http.proto === undefined || http.proto === 'HTTP/1.1' ? ('HTTP/1.1' as const) : ('HTTP/1.0' as const);
  const outcome = checkHttp1Head(
    {
      method,
      target,
      rawHeaders: raw,
      isTls: tls !== undefined,
      isServedVersion: protocol === 'HTTP/1.1' || manager.http_protocol_options.accept_http_10 === true,
    },
    manager.common_http_protocol_options,
  );
  if (outcome.kind === 'error') return outcome;
  const { authority, path, scheme } = outcome;
  return { kind: 'head', head: { ...rest, protocol, authority, path, scheme, headers: new HeaderMap(raw) } };
}

/** YAML gives characters, the wire has bytes: values outside ASCII go as UTF-8 unless they are Latin-1 already. */
function latin1(text: string): string {
  return /^[\x00-\xff]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}
