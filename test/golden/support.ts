// The recordings as typed values: where they are, and what one case holds (format: cases/README.md).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export type Pairs = readonly (readonly [string, string])[];

/** One HTTP request of a call, written as it stands. Text is Latin-1. */
export interface HttpSpec {
  readonly method?: string;
  readonly scheme?: string;
  readonly host?: string;
  readonly path?: string;
  readonly headers?: Pairs;
  readonly body?: string;
  readonly version?: '1.1' | '2';
  /** The word in the request line, for HTTP/1.0. */
  readonly proto?: string;
  /** Raw bytes after a 101. */
  readonly then?: string;
}

export type TlsVersion = '1.0' | '1.1' | '1.2' | '1.3';

export interface TlsSpec {
  readonly sni?: string;
  readonly alpn?: readonly string[];
  /** Name of the client certificate. */
  readonly cert?: string;
  readonly min?: TlsVersion;
  readonly max?: TlsVersion;
  readonly ciphers?: string;
}

export interface CallSpec {
  readonly name: string;
  readonly port: number;
  readonly address?: string;
  readonly tls?: TlsSpec;
  readonly http?: HttpSpec;
  readonly requests?: readonly HttpSpec[];
  /** Decoded: one character per byte. */
  readonly send?: string;
  readonly before?: string;
  /** Seconds. */
  readonly wait?: number;
  /** Seconds. */
  readonly after?: number;
  readonly timing?: boolean;
  readonly repeat?: number;
}

export interface UpstreamSpec {
  readonly name: string;
  /** `127.0.10.1:3000`. */
  readonly at: string;
  readonly protocol?: 'http' | 'https' | 'tcp' | 'tls';
  readonly cert?: string;
  readonly alpn?: readonly string[];
  readonly clientCa?: string;
  readonly requireClientCert?: boolean;
  readonly banner?: string;
  readonly behave?: { readonly status?: number; readonly delay?: number; readonly headers?: Pairs };
}

export interface TlsOutcome {
  readonly handshake: 'ok' | 'failed';
  readonly version?: string;
  readonly alpn?: string;
  readonly cipher?: string;
  readonly serverCert?: string;
  readonly alert?: string;
  readonly closed?: 'eof' | 'reset';
  readonly error?: string;
}

export interface ResponseOutcome {
  readonly version?: string;
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: Pairs;
  readonly body?: string;
  readonly bodyLength?: number;
  readonly trailers?: Pairs;
  readonly informational?: readonly { readonly status: number; readonly headers: Pairs }[];
  readonly upgraded?: string;
  readonly closed?: 'eof' | 'reset';
  readonly alert?: string;
  readonly reset?: number;
  /** Ours only: no answer within the time that a call may take. */
  readonly timeout?: true;
}

export interface TcpOutcome {
  readonly received?: string;
  readonly closed?: 'eof' | 'reset';
  readonly alert?: string;
  readonly open?: true;
}

export interface UpstreamEntry {
  readonly server: string;
  readonly protocol?: string;
  readonly method?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly authority?: string;
  readonly headers?: Pairs;
  readonly body?: string;
  readonly bytes?: string;
  readonly upgraded?: string;
  readonly tls?: {
    readonly sni?: string;
    readonly alpn?: string;
    readonly version?: string;
    readonly clientSubject?: string;
    readonly clientSan?: readonly string[];
  };
}

export interface LogEntry {
  readonly status?: number;
  readonly flags?: string;
  readonly details?: string;
  readonly cluster?: string;
  readonly upstream?: string;
  readonly route?: string;
  readonly sni?: string;
  readonly downstream_tls_failure?: string;
  readonly [field: string]: string | number | undefined;
}

/** What the client saw. */
export interface ClientOutcome {
  readonly connect?: 'refused';
  readonly tls?: TlsOutcome;
  readonly response?: ResponseOutcome;
  readonly responses?: readonly ResponseOutcome[];
  readonly tcp?: TcpOutcome;
  readonly elapsedMs?: number;
}

/** One call as recorded, or as replayed. */
export interface CallOutcome extends ClientOutcome {
  readonly name: string;
  readonly upstream?: readonly UpstreamEntry[];
  readonly log?: readonly LogEntry[];
  readonly repeat?: number;
  /** "status server" → how often. */
  readonly tally?: Readonly<Record<string, number>>;
  /** An illustration. */
  readonly first?: ClientOutcome;
}

export interface Recorded {
  /** `live`, or why the gateway was not. */
  readonly ready: string;
  readonly calls: readonly CallOutcome[];
  readonly envoyLog: readonly string[];
}

export interface GoldenCase {
  readonly area: string;
  readonly name: string;
  /** `AREA/NAME`. */
  readonly id: string;
  readonly directory: string;
  readonly about: string;
  /** MeshConfig over the defaults, as written. */
  readonly mesh: Readonly<Record<string, unknown>> | undefined;
  /** Seconds the recorder waited; `undefined` = none. */
  readonly settle: number | undefined;
  readonly locality: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string } | undefined;
  readonly nodeMetadata: Readonly<Record<string, unknown>> | undefined;
  readonly gatewayLabels: Readonly<Record<string, string>> | undefined;
  readonly upstreams: readonly UpstreamSpec[];
  readonly calls: readonly CallSpec[];
  readonly recorded: Recorded;
  /** What istiod sent, as text to be parsed by who needs it: reading all of them takes a second. */
  readonly readXds: () => unknown;
  /** With the content of files that it names. */
  readonly istioYaml: string;
}

const ROOT = findRoot();

/** The folder with AREA/NAME/…, certs, validation and analysis. */
export function goldenRoot(): string {
  return ROOT;
}

/** Areas whose folders hold cases with calls, in name order. */
export function goldenAreas(): readonly string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && caseDirectories(entry.name).length > 0)
    .map((entry) => entry.name)
    .sort();
}

/** Directories of the cases of one area, in name order. */
export function caseDirectories(area: string): readonly string[] {
  const folder = path.join(ROOT, area);
  return readdirSync(folder)
    .sort()
    .map((name) => path.join(folder, name))
    .filter((directory) => existsSync(path.join(directory, 'case.yaml')));
}

/** Reads one case. `directory` is a path, or `AREA/NAME`. */
export function loadCase(directory: string): GoldenCase {
  const folder = existsSync(path.join(directory, 'case.yaml')) ? path.resolve(directory) : path.join(ROOT, directory);
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const raw = parse(read('case.yaml'), { maxAliasCount: -1 }) as RawCase;
  const area = path.basename(path.dirname(folder));
  const name = path.basename(folder);
  return {
    area,
    name,
    id: `${area}/${name}`,
    directory: folder,
    about: raw.about,
    mesh: raw.mesh,
    settle: raw.settle,
    locality: raw.locality,
    nodeMetadata: raw.nodeMetadata,
    gatewayLabels: raw.gatewayLabels,
    upstreams: raw.upstreams ?? [],
    calls: raw.calls.map(toCall),
    recorded: JSON.parse(read('recorded.json')) as Recorded,
    readXds: () => JSON.parse(read('xds.json')) as unknown,
    istioYaml: expandFiles(read('istio.yaml')),
  };
}

/** PEM text of a certificate or key that cases name: `NAME.pem`, `NAME.key`, `mesh/root.pem`. */
export function readCertificate(file: string): string {
  return readFileSync(path.join(ROOT, 'certs', file), 'utf8');
}

/** Bytes (one character each) that a string with Python's escapes stands for. */
export function decodeEscapes(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[\s\S])/g, (whole, code: string) => {
    if (code.startsWith('x') && code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    return SIMPLE_ESCAPES[code] ?? whole;
  });
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

// A few configurations name a file of certs/ where a Secret holds its content.
function expandFiles(yaml: string): string {
  return yaml.replace(/"@([\w-]+\.(?:pem|key))"/g, (_whole, file: string) =>
    JSON.stringify(Buffer.from(readCertificate(file)).toString('base64')),
  );
}

interface RawCase {
  readonly about: string;
  readonly mesh?: Readonly<Record<string, unknown>>;
  readonly settle?: number;
  readonly locality?: GoldenCase['locality'];
  readonly nodeMetadata?: Readonly<Record<string, unknown>>;
  readonly gatewayLabels?: Readonly<Record<string, string>>;
  readonly upstreams?: readonly UpstreamSpec[];
  readonly calls: readonly RawCall[];
}

interface RawCall extends Omit<CallSpec, 'tls' | 'http' | 'requests'> {
  readonly tls?: Omit<TlsSpec, 'min' | 'max'> & { readonly min?: string | number; readonly max?: string | number };
  readonly http?: RawHttp;
  readonly requests?: readonly RawHttp[];
}

interface RawHttp extends Omit<HttpSpec, 'version'> {
  readonly version?: string | number;
}

function toCall(raw: RawCall): CallSpec {
  const { tls, http, requests, send, before, ...rest } = raw;
  return {
    ...rest,
    ...(tls === undefined ? {} : { tls: toTls(tls) }),
    ...(http === undefined ? {} : { http: toHttp(http) }),
    ...(requests === undefined ? {} : { requests: requests.map(toHttp) }),
    ...(send === undefined ? {} : { send: decodeEscapes(send) }),
    ...(before === undefined ? {} : { before: decodeEscapes(before) }),
  };
}

function toTls(raw: NonNullable<RawCall['tls']>): TlsSpec {
  const { min, max, ...rest } = raw;
  return {
    ...rest,
    ...(min === undefined ? {} : { min: toVersion(min) }),
    ...(max === undefined ? {} : { max: toVersion(max) }),
  };
}

// YAML reads an unquoted 1.2 as a number, and 1.0 as 1.
function toVersion(value: string | number): TlsVersion {
  return (typeof value === 'number' ? value.toFixed(1) : value) as TlsVersion;
}

function toHttp(raw: RawHttp): HttpSpec {
  const { version, headers, ...rest } = raw;
  return {
    ...rest,
    ...(version === undefined ? {} : { version: String(version) === '2' ? '2' : '1.1' }),
    // YAML types a bare number or boolean as such.
    ...(headers === undefined
      ? {}
      : { headers: headers.map(([name, value]) => [String(name), String(value)] as const) }),
  };
}

function findRoot(): string {
  // Beside this file in the source tree; the compiled tests lie elsewhere and look back.
  for (const relative of ['./cases', '../../../test/golden/cases']) {
    const candidate = fileURLToPath(new URL(relative, import.meta.url));
    if (existsSync(path.join(candidate, 'certs'))) return candidate;
  }
  throw new Error('test/golden/cases is not there');
}
