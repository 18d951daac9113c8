// The library: start a gateway in-process, ask it where calls go, load a configuration without starting anything.
import { isIP } from 'node:net';
import { issueCertificate } from './certs/development-ca.js';
import type { Source } from './config/load.js';
import type { MeshConfig } from './config/model/mesh-config.js';
import { type DecideOptions, decide as decideCall } from './decide/decide.js';
import type { Call, Decision } from './decide/decision.js';
import { buildSnapshotIndex, type SnapshotIndex } from './decide/snapshot-index.js';
import type { Diagnostic } from './diagnostics/diagnostic.js';
import { type AnalysisOptions, AnalysisSession, parseSuppression } from './gateway/analysis.js';
import type { ClientCertificate } from './gateway/client/client-connection.js';
import { type FetchOptions, fetchFrom } from './gateway/client/fetch.js';
import type { Reply } from './gateway/client/reply.js';
import { type CompileOptions, ConfigError, type Configuration, compile } from './gateway/compile.js';
import { DevelopmentCertificates } from './gateway/development-certificates.js';
import { Observation } from './gateway/observation.js';
import {
  checkOptions,
  either,
  LIST_OF_TEXTS,
  NUMBER,
  OBJECT_OF_TEXTS,
  OptionError,
  type OptionRule,
  PLAIN_OBJECT,
  TEXT,
  YES_OR_NO,
} from './gateway/option-error.js';
import { type RunningGateway, runGateway } from './gateway/run.js';
import { readSources } from './gateway/sources.js';
import { parseUpstreamEntry, type UpstreamMapping } from './gateway/upstream-mapping.js';
import { parseLocality, readWorkloadCertificates } from './gateway/workload.js';
import type { WorkloadCertificates } from './registry/push-context.js';
import type { Received } from './stub/received.js';
import type { Snapshot } from './xds/index.js';

export type { MeshConfig } from './config/model/mesh-config.js';
export type { ClientCertificate, TlsVersion } from './gateway/client/client-connection.js';
export type { FetchOptions } from './gateway/client/fetch.js';
export type { HeaderRecord, Reply, UpstreamSaw } from './gateway/client/reply.js';
export type { TlsOutcome } from './gateway/client/tls-outcome.js';
export { ConfigError } from './gateway/compile.js';
export { OptionError } from './gateway/option-error.js';
export { SourceError } from './gateway/sources.js';
export type { WorkloadCertificates } from './registry/push-context.js';
export type { Snapshot } from './xds/index.js';

/** An upstream that tells what it receives, such as `startRecordingUpstream` of `postern/testing` makes. */
export interface ObservableUpstream {
  /** 'ADDR:PORT'. */
  readonly address: string;
  /** Calls `listener` with everything that is received from now on; `peerPort` is the port it came from. */
  observe(listener: (received: Received, peerPort: number) => void): void;
}

/** Mirrors the flags of `postern run`. */
export interface GatewayOptions {
  /** Files and folders with Istio YAML, or the YAML itself as `{ yaml: '…' }`. */
  readonly config: readonly (string | { readonly yaml: string; readonly file?: string })[];
  /** Server port (443, or the container's 8443) → port to bind; 0 = any. Default: 0 for every port that is not named. */
  readonly ports?: Readonly<Record<number, number>>;
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** 'HOST[:PORT][/SUBSET]' → 'ADDR:PORT', or an upstream of `postern/testing`. */
  readonly upstreams?: Readonly<Record<string, string | ObservableUpstream>>;
  /** Echo stubs for services without endpoints; default true. */
  readonly stubs?: boolean;
  readonly assumeServices?: boolean;
  readonly devCerts?: boolean;
  readonly namespace?: string;
  readonly gatewayLabels?: Readonly<Record<string, string>>;
  readonly gatewayNamespace?: string;
  readonly nodeMetadata?: Readonly<Record<string, string>>;
  /** 'REGION/ZONE/SUBZONE', or its parts. */
  readonly nodeLocality?: string | { readonly region?: string; readonly zone?: string; readonly subZone?: string };
  /** A file with MeshConfig, or its fields. */
  readonly meshConfig?: string | MeshConfig;
  /** The gateway's mesh identity: a folder with root.pem, cert.pem and key.pem, or the PEM texts. */
  readonly workloadCerts?: string | WorkloadCertificates;
  /** Files with more bytes than this are refused; default 8 MiB. */
  readonly maxInput?: number;
}

/** Who a client certificate is for. */
export interface ClientSubject {
  /** Default 'client'. */
  readonly commonName?: string;
  readonly dnsNames?: readonly string[];
  /** 'spiffe://cluster.local/ns/shop/sa/cart'. */
  readonly uris?: readonly string[];
}

/** What the options of `issueClientCertificate` and of those who hand them on must be. */
export const CLIENT_SUBJECT: Readonly<Record<keyof ClientSubject, OptionRule>> = {
  commonName: TEXT,
  dnsNames: LIST_OF_TEXTS,
  uris: LIST_OF_TEXTS,
};

const OPTIONS: Readonly<Record<keyof GatewayOptions, OptionRule>> = {
  config: { holds: isConfig, expected: 'a list of paths or { yaml }' },
  ports: PLAIN_OBJECT,
  address: { holds: isBindAddress, expected: 'an IP address of this machine' },
  upstreams: { holds: isUpstreams, expected: "'HOST[:PORT][/SUBSET]': 'ADDR:PORT', or upstreams of postern/testing" },
  stubs: YES_OR_NO,
  assumeServices: YES_OR_NO,
  devCerts: YES_OR_NO,
  namespace: TEXT,
  gatewayLabels: OBJECT_OF_TEXTS,
  gatewayNamespace: TEXT,
  nodeMetadata: OBJECT_OF_TEXTS,
  nodeLocality: either(TEXT, OBJECT_OF_TEXTS),
  meshConfig: either({ ...TEXT, expected: 'a path' }, PLAIN_OBJECT),
  workloadCerts: either(
    { ...TEXT, expected: 'a folder' },
    { holds: isIdentity, expected: '{ certificateChain, privateKey, root }' },
  ),
  maxInput: NUMBER,
};

function isConfig(value: unknown): boolean {
  const isEntry = (entry: unknown): boolean =>
    typeof entry === 'string' ||
    (typeof entry === 'object' && entry !== null && 'yaml' in entry && typeof entry.yaml === 'string');
  return Array.isArray(value) && value.length > 0 && value.every(isEntry);
}

function isBindAddress(value: unknown): boolean {
  return typeof value === 'string' && (isIP(value) !== 0 || value === 'localhost');
}

function isUpstreams(value: unknown): boolean {
  const isUpstream = (one: unknown): boolean =>
    typeof one === 'string' ||
    (typeof one === 'object' && one !== null && 'observe' in one && typeof one.observe === 'function');
  return PLAIN_OBJECT.holds(value) && Object.values(value as object).every(isUpstream);
}

function isIdentity(value: unknown): boolean {
  const texts = typeof value === 'object' && value !== null ? (value as Partial<Record<string, unknown>>) : {};
  return ['certificateChain', 'privateKey', 'root'].every((name) => typeof texts[name] === 'string');
}

/** A running gateway. `await using` closes it. */
export interface GatewayHandle extends AsyncDisposable {
  /** By server port as written in the Gateway (443) and by container port (8443). */
  readonly addresses: Readonly<Record<number, { readonly address: string; readonly port: number }>>;
  /** Warnings and notes of the last load. */
  readonly diagnostics: readonly Diagnostic[];
  readonly snapshot: Snapshot;
  /** Where a call goes and what would be answered, by the functions that serve live traffic; opens no socket. */
  decide(call: Call): Decision;
  /**
   * Sends a request through the real listener that a client of the URL would reach, over a connection of its own.
   *
   *     const reply = await gateway.fetch('https://shop.example.com/cart', { headers: { 'x-beta': '1' } });
   *     reply.status; // 200
   *     reply.decision.cluster; // 'outbound|80|v2|cart.shop.svc.cluster.local'
   *     reply.upstreamSaw?.path; // '/cart'
   *
   * Never rejects for what the gateway or an upstream does: a refused certificate, a reset and a missing listener are
   * outcomes (`reply.error`, `reply.failure`). Rejects with an OptionError for options that cannot be. The server's
   * certificate is reported, not judged, and redirects are not followed.
   */
  fetch(url: string | URL, options?: FetchOptions): Promise<Reply>;
  /**
   * A client certificate that servers with a development Secret (`devCerts`) accept, as do servers in mode ISTIO_MUTUAL
   * unless `workloadCerts` was given. Rejects with an OptionError when the gateway made no CA.
   */
  issueClientCertificate(subject?: ClientSubject): Promise<ClientCertificate>;
  /** Reads the configuration again; rejects with ConfigError and keeps the running one when it has errors. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a gateway from Istio YAML and resolves once every listener accepts connections.
 *
 *     await using gateway = await startGateway({ config: ['k8s/'], ports: { 443: 0 } });
 *     gateway.addresses[443]; // { address: '127.0.0.1', port: 40123 }
 *     gateway.decide({ port: 443, tls: 'tls', host: 'shop.example.com' }).cluster; // 'outbound|80||cart.shop.svc.cluster.local'
 *
 * Rejects with `ConfigError` (`.diagnostics`) when the configuration has errors, with `SourceError` (`.path`) when a file
 * is not there; a busy port rejects too.
 */
export async function startGateway(options: GatewayOptions): Promise<GatewayHandle> {
  checkGatewayOptions('startGateway', options);
  const observation = new Observation();
  for (const upstream of Object.values(options.upstreams ?? {})) {
    if (typeof upstream !== 'string') upstream.observe(observation.received);
  }
  const certificates = new DevelopmentCertificates(undefined);
  const gateway = await runGateway({
    ...(await compileOptions(options)),
    certificates,
    observer: observation,
    onReceived: observation.received,
    sources: () => readConfig(options.config),
    ports: portMap(options.ports),
    anyPort: true,
    ...(options.address === undefined ? {} : { address: options.address }),
    ...(options.stubs === undefined ? {} : { stubs: options.stubs }),
    ...(options.devCerts === undefined ? {} : { devCerts: options.devCerts }),
  });
  const failed = gateway.applied.failed[0];
  if (failed !== undefined) {
    await gateway.close();
    throw new Error(`cannot bind ${failed.tried}: ${failed.code}`);
  }
  return new Handle(gateway, observation, certificates);
}

/**
 * Loads and translates a configuration without starting anything.
 *
 *     const loaded = await loadConfig({ config: ['k8s/'] });
 *     decide(loaded, { port: 443, tls: 'tls', host: 'shop.example.com' });
 *
 * Rejects with `ConfigError` when it has errors.
 */
export async function loadConfig(
  options: Omit<GatewayOptions, 'ports' | 'address' | 'stubs'>,
): Promise<{ readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[] }> {
  checkGatewayOptions('loadConfig', options);
  const compiled = await compile(await readConfig(options.config), await compileOptions(options), {
    stubs: undefined,
    certificates: new DevelopmentCertificates(undefined),
    devCerts: options.devCerts === true,
  });
  return { snapshot: publish(compiled), diagnostics: compiled.diagnostics };
}

/** What `analyze` takes beside the options that loading has. */
export interface AnalyzeOptions extends Omit<GatewayOptions, 'ports' | 'address' | 'stubs' | 'devCerts'> {
  /** Of objects that have none; when it is given, findings of istioctl's analyzers in other namespaces are hidden. */
  readonly namespace?: string;
  /** 'CODE=Kind namespace/name'; `*` is any text: nothing of that code is said there. */
  readonly suppress?: readonly string[];
}

/** Everything there is to say of a configuration. */
export interface AnalyzeResult {
  /** By severity, code and object. `refusedBy` is set on what a cluster would not store. */
  readonly diagnostics: readonly Diagnostic[];
  /** Findings on objects of other namespaces that are not shown. */
  readonly hidden: number;
  /** Findings that a suppression or the annotation galley.istio.io/analyze-suppress silenced. */
  readonly suppressed: number;
}

/**
 * What the API server, istiod's webhook, `istioctl analyze` and postern itself say of a configuration.
 *
 *     const { diagnostics } = await analyze({ config: ['k8s/'] });
 *     diagnostics[0]; // { code: 'IST0101', severity: 'error', message: 'Referenced gateway not found: "edge"', origin: { file: 'k8s/shop.yaml', line: 6, … } }
 *
 * The configuration of the last call is remembered: looking again after an edit, with the same options, takes a fraction
 * of the time. Rejects for paths that are not there and with an OptionError for options that cannot be, never for what
 * is wrong in the files.
 */
export async function analyze(options: AnalyzeOptions): Promise<AnalyzeResult> {
  checkGatewayOptions('analyze', options, { suppress: LIST_OF_TEXTS });
  const suppressions = (options.suppress ?? []).map((written) => {
    const suppression = parseSuppression(written);
    if (suppression === undefined)
      throw new OptionError('suppress', `analyze: suppress: ${written}: expected CODE=Kind namespace/name`);
    return suppression;
  });
  const compiled: AnalysisOptions = {
    ...(await compileOptions(options)),
    selectedNamespace: options.namespace,
    suppressions,
  };
  const key = JSON.stringify(compiled);
  if (lastAnalysis?.key !== key) lastAnalysis = { key, options: compiled, session: new AnalysisSession() };
  const { session, options: known } = lastAnalysis;
  const { diagnostics, hidden, suppressed } = await session.analyze(await readConfig(options.config), known);
  return { diagnostics, hidden, suppressed };
}

let lastAnalysis:
  | { readonly key: string; readonly options: AnalysisOptions; readonly session: AnalysisSession }
  | undefined;

/**
 * What the gateway of a configuration would do with a call; opens no socket.
 *
 *     const loaded = await loadConfig({ config: ['k8s/'] });
 *     decide(loaded, { port: 443, tls: 'tls', host: 'shop.example.com' }).cluster; // 'outbound|80||cart.shop.svc.cluster.local'
 *
 * A snapshot alone will do. One that was read from elsewhere (JSON of another process) knows container ports only, and
 * no lines of files.
 */
export function decide(loaded: Snapshot | { readonly snapshot: Snapshot }, call: Call): Decision {
  const snapshot = 'snapshot' in loaded ? loaded.snapshot : loaded;
  let known = asked.get(snapshot);
  if (known === undefined) {
    known = { index: buildSnapshotIndex(snapshot), options: compiledFrom.get(snapshot) ?? {} };
    asked.set(snapshot, known);
  }
  return decideCall(known.index, call, known.options);
}

/** What a compiled snapshot does not carry itself: the ports of the Service, and the places of its origins. */
const compiledFrom = new WeakMap<Snapshot, DecideOptions>();
/** Snapshots that were asked before; an index costs as much as a thousand questions. */
const asked = new WeakMap<Snapshot, { readonly index: SnapshotIndex; readonly options: DecideOptions }>();

/** The snapshot of a configuration, ready for `decide`. */
function publish({ snapshot, origins, servicePorts }: Configuration): Snapshot {
  if (!compiledFrom.has(snapshot)) compiledFrom.set(snapshot, { origins, servicePorts });
  return snapshot;
}

class Handle implements GatewayHandle {
  private readonly gateway: RunningGateway;
  private readonly observation: Observation;
  private readonly certificates: DevelopmentCertificates;

  constructor(gateway: RunningGateway, observation: Observation, certificates: DevelopmentCertificates) {
    this.gateway = gateway;
    this.observation = observation;
    this.certificates = certificates;
  }

  get addresses(): Readonly<Record<number, { readonly address: string; readonly port: number }>> {
    const addresses: Record<number, { readonly address: string; readonly port: number }> = {};
    for (const listener of this.gateway.listeners) {
      addresses[listener.port] = { address: listener.address, port: listener.boundPort };
    }
    for (const [written, port] of this.gateway.servicePorts) {
      const bound = addresses[port];
      if (bound !== undefined) addresses[written] ??= bound;
    }
    return addresses;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.gateway.diagnostics;
  }

  get snapshot(): Snapshot {
    return publish(this.gateway.compiled);
  }

  decide(call: Call): Decision {
    return decideCall(this.gateway.running.index, call, {
      origins: this.gateway.compiled.origins,
      servicePorts: this.gateway.servicePorts,
    });
  }

  async fetch(url: string | URL, options: FetchOptions = {}): Promise<Reply> {
    return fetchFrom(this.gateway, this.observation, String(url), options);
  }

  async issueClientCertificate(subject: ClientSubject = {}): Promise<ClientCertificate> {
    checkOptions('issueClientCertificate', subject, CLIENT_SUBJECT);
    if (!this.certificates.isUsed) {
      throw new OptionError('devCerts', 'issueClientCertificate: no server of this gateway trusts a development CA');
    }
    const { commonName = 'client', dnsNames = [], uris = [] } = subject;
    const authority = await this.certificates.ca();
    const pair = await issueCertificate(authority, { commonName, dnsNames, uris, usage: 'client' });
    return { cert: pair.certificate, key: pair.privateKey };
  }

  async reload(): Promise<void> {
    const result = await this.gateway.reload();
    if (result.kind === 'applied') return;
    const failed = result.failed[0];
    if (failed !== undefined) throw new Error(`cannot bind ${failed.tried}: ${failed.code}`);
    if (result.diagnostics.length === 0) throw new Error('the gateway is closed');
    throw new ConfigError(result.diagnostics);
  }

  close(): Promise<void> {
    return this.gateway.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function readConfig(config: GatewayOptions['config']): Promise<Source[]> {
  const sources: Source[] = [];
  for (const [index, entry] of config.entries()) {
    if (typeof entry === 'string') sources.push(...(await readSources([entry])));
    else sources.push({ file: entry.file ?? `config[${index}].yaml`, text: entry.yaml, named: true });
  }
  return sources;
}

async function compileOptions(options: Omit<GatewayOptions, 'ports' | 'address' | 'stubs'>): Promise<CompileOptions> {
  const { meshConfig, nodeLocality, workloadCerts } = options;
  return {
    namespace: options.namespace,
    meshConfig: typeof meshConfig === 'string' ? (await readSources([meshConfig]))[0] : undefined,
    mesh: typeof meshConfig === 'object' ? meshConfig : undefined,
    maxInput: options.maxInput,
    proxy: {
      ...(options.gatewayLabels === undefined ? {} : { labels: options.gatewayLabels }),
      ...(options.gatewayNamespace === undefined ? {} : { namespace: options.gatewayNamespace }),
      ...(options.nodeMetadata === undefined ? {} : { metadata: options.nodeMetadata }),
      ...(nodeLocality === undefined
        ? {}
        : { locality: typeof nodeLocality === 'string' ? parseLocality(nodeLocality) : nodeLocality }),
    },
    upstreams: Object.entries(options.upstreams ?? {}).map(([key, target]) =>
      mapping(key, typeof target === 'string' ? target : target.address),
    ),
    assumeServices: options.assumeServices,
    workloadCertificates:
      typeof workloadCerts === 'string' ? await readWorkloadCertificates(workloadCerts) : workloadCerts,
  };
}

function checkGatewayOptions(
  where: string,
  options: GatewayOptions,
  more: Readonly<Record<string, OptionRule>> = {},
): void {
  checkOptions(where, options, { ...OPTIONS, ...more });
  if (options.config === undefined)
    throw new OptionError('config', `${where}: config: expected ${OPTIONS.config.expected}`);
  for (const [port, bind] of Object.entries(options.ports ?? {})) {
    for (const number of [Number(port), bind]) {
      if (!Number.isInteger(number) || number < 0 || number > 65535) {
        throw new OptionError('ports', `${where}: ports: ${port}: ${bind}: expected numbers of ports`);
      }
    }
  }
}

function mapping(key: string, target: string): UpstreamMapping {
  const parsed = parseUpstreamEntry(key, target);
  if (parsed === undefined) {
    const expected = "expected 'HOST[:PORT][/SUBSET]': 'ADDR:PORT'";
    throw new OptionError('upstreams', `upstreams: ${key}: ${target}: ${expected}`);
  }
  return parsed;
}

function portMap(ports: Readonly<Record<number, number>> = {}): ReadonlyMap<number, number> {
  return new Map(Object.entries(ports).map(([port, bind]) => [Number(port), bind]));
}
