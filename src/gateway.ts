// The library: start a gateway in-process, ask it where calls go, load a configuration without starting anything.
import { issueCertificate } from './certs/development-ca.js';
import type { Source } from './config/load.js';
import type { MeshConfig } from './config/model/mesh-config.js';
import { decide as decideCall } from './decide/decide.js';
import type { Call, Decision } from './decide/decision.js';
import { buildSnapshotIndex } from './decide/snapshot-index.js';
import type { Diagnostic } from './diagnostics/diagnostic.js';
import { type AnalysisOptions, AnalysisSession, parseSuppression } from './gateway/analysis.js';
import type { ClientCertificate } from './gateway/client/client-connection.js';
import { type FetchOptions, fetchFrom } from './gateway/client/fetch.js';
import type { Reply } from './gateway/client/reply.js';
import { type CompileOptions, ConfigError, compile } from './gateway/compile.js';
import { DevelopmentCertificates } from './gateway/development-certificates.js';
import { Observation } from './gateway/observation.js';
import { checkOptionNames, OptionError } from './gateway/option-error.js';
import { type RunningGateway, runGateway } from './gateway/run.js';
import { readSources } from './gateway/sources.js';
import { parseUpstreamEntry, type UpstreamMapping } from './gateway/upstream-mapping.js';
import type { WorkloadCertificates } from './registry/push-context.js';
import type { Received } from './stub/received.js';
import type { Snapshot } from './xds/index.js';

export type { ClientCertificate, TlsVersion } from './gateway/client/client-connection.js';
export type { FetchOptions } from './gateway/client/fetch.js';
export type { HeaderRecord, Reply, UpstreamSaw } from './gateway/client/reply.js';
export type { TlsOutcome } from './gateway/client/tls-outcome.js';
export { ConfigError } from './gateway/compile.js';
export { OptionError } from './gateway/option-error.js';

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
  readonly nodeLocality?: { readonly region?: string; readonly zone?: string; readonly subZone?: string };
  /** A file with MeshConfig, or its fields. */
  readonly meshConfig?: string | MeshConfig;
  readonly workloadCerts?: WorkloadCertificates;
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

const OPTIONS: readonly (keyof GatewayOptions)[] = [
  'config',
  'ports',
  'address',
  'upstreams',
  'stubs',
  'assumeServices',
  'devCerts',
  'namespace',
  'gatewayLabels',
  'gatewayNamespace',
  'nodeMetadata',
  'nodeLocality',
  'meshConfig',
  'workloadCerts',
  'maxInput',
];

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
 * Rejects with `ConfigError` (`.diagnostics`) when the configuration has errors; a busy port rejects too.
 */
export async function startGateway(options: GatewayOptions): Promise<GatewayHandle> {
  checkOptions('startGateway', options, OPTIONS);
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
 *     const { snapshot, diagnostics } = await loadConfig({ config: ['k8s/'] });
 *     decide(snapshot, { port: 8443, tls: 'tls', host: 'shop.example.com' });
 *
 * Rejects with `ConfigError` when it has errors.
 */
export async function loadConfig(
  options: Omit<GatewayOptions, 'ports' | 'address' | 'stubs'>,
): Promise<{ readonly snapshot: Snapshot; readonly diagnostics: readonly Diagnostic[] }> {
  checkOptions('loadConfig', options, OPTIONS);
  const { snapshot, diagnostics } = await compile(await readConfig(options.config), await compileOptions(options), {
    stubs: undefined,
    certificates: new DevelopmentCertificates(undefined),
    devCerts: options.devCerts === true,
  });
  return { snapshot, diagnostics };
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
  checkOptions('analyze', options, [...OPTIONS, 'suppress']);
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

/** What the gateway of this snapshot would do with a call. */
export function decide(snapshot: Snapshot, call: Call): Decision {
  return decideCall(buildSnapshotIndex(snapshot), call);
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
    return this.gateway.snapshot;
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
    checkOptionNames('issueClientCertificate', subject, ['commonName', 'dnsNames', 'uris']);
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
  const { meshConfig } = options;
  return {
    namespace: options.namespace,
    meshConfig: typeof meshConfig === 'string' ? (await readSources([meshConfig]))[0] : undefined,
    mesh: typeof meshConfig === 'object' ? meshConfig : undefined,
    maxInput: options.maxInput,
    proxy: {
      ...(options.gatewayLabels === undefined ? {} : { labels: options.gatewayLabels }),
      ...(options.gatewayNamespace === undefined ? {} : { namespace: options.gatewayNamespace }),
      ...(options.nodeMetadata === undefined ? {} : { metadata: options.nodeMetadata }),
      ...(options.nodeLocality === undefined ? {} : { locality: options.nodeLocality }),
    },
    upstreams: Object.entries(options.upstreams ?? {}).map(([key, target]) =>
      mapping(key, typeof target === 'string' ? target : target.address),
    ),
    assumeServices: options.assumeServices,
    workloadCertificates: options.workloadCerts,
  };
}

function checkOptions(where: string, options: GatewayOptions, known: readonly string[]): void {
  checkOptionNames(where, options, known);
  if (!Array.isArray(options.config) || options.config.length === 0) {
    throw new OptionError('config', `${where}: config: expected a list of paths or { yaml }`);
  }
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
