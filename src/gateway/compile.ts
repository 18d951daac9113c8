// From texts to a snapshot: the stages of ARCHITECTURE.md in one function. Nothing here opens a port; stubs and
// certificates that the options ask for are made on the way.
import { type LoadCache, type LoadCounts, type LoadResult, loadConfig, type Source } from '../config/load.js';
import type { MeshConfig } from '../config/model/mesh-config.js';
import { extendStore, type Store } from '../config/store.js';
import { AssumedServices, DevelopmentCertificate, UnusedUpstreamMapping } from '../diagnostics/catalogue.js';
import { collect, type Diagnostic, hasErrors } from '../diagnostics/diagnostic.js';
import type { OriginTable } from '../diagnostics/origin.js';
import { buildPushContext } from '../registry/build-push-context.js';
import { gatewayPortTargets } from '../registry/gateway-ports.js';
import type { GatewayProxy, PushContext, ReadCredentialFile, WorkloadCertificates } from '../registry/push-context.js';
import { reportEmptyClusters } from '../translate/clusters/empty-clusters.js';
import { translate } from '../translate/translate.js';
import type { Snapshot } from '../xds/index.js';
import { readCredentialFile } from './credential-files.js';
import {
  type DevelopmentCertificates,
  developmentSecrets,
  findMissingSecrets,
  needsWorkloadIdentity,
} from './development-certificates.js';
import { findStubbed, type Stubs, withoutUpstreamChecks, withStubs } from './stubs.js';
import { applyUpstreamMappings, type UpstreamMapping } from './upstream-mapping.js';

/** What the flags and the library's options say about loading and translating. */
export interface CompileOptions {
  /** Of objects that have none; default 'default'. */
  readonly namespace?: string | undefined;
  /** A file with MeshConfig. */
  readonly meshConfig?: Source | undefined;
  /** MeshConfig laid over everything. */
  readonly mesh?: MeshConfig | undefined;
  /** Files with more bytes than this are refused; default 8 MiB. */
  readonly maxInput?: number | undefined;
  readonly proxy?: Partial<GatewayProxy> | undefined;
  readonly upstreams?: readonly UpstreamMapping[] | undefined;
  /** Default: on when the files have neither Service nor ServiceEntry. */
  readonly assumeServices?: boolean | undefined;
  readonly workloadCertificates?: WorkloadCertificates | undefined;
  /** True: certificates of upstreams are not checked, because stand-ins show them; TLS itself stays as configured. */
  readonly trustUpstreams?: boolean | undefined;
  /** For certificates that are named as files; default: the files of this machine. */
  readonly readFile?: ReadCredentialFile | undefined;
}

/** What stands in for the rest of the cluster; kept across reloads. */
export interface StandIns {
  /** `undefined`: a destination without endpoints is 503 UH. */
  readonly stubs: Pick<Stubs, 'addresses'> | undefined;
  /** Makes the certificates of `--dev-certs` and the mesh identity. */
  readonly certificates: Pick<DevelopmentCertificates, 'issueSecrets' | 'workloadIdentity'>;
  readonly devCerts: boolean;
}

/** A compiled configuration as the data plane and those who ask about it need it: plain data beside the origins. */
export interface Configuration {
  readonly snapshot: Snapshot;
  readonly origins: OriginTable;
  /** Of loading and translating, in that order. */
  readonly diagnostics: readonly Diagnostic[];
  readonly assumedServices: boolean;
  /** Names of clusters that an echo stub stands in for. */
  readonly stubbed: readonly string[];
  /** Names of Secrets that `--dev-certs` made. */
  readonly developmentSecrets: readonly string[];
  readonly counts: LoadCounts;
  readonly proxy: GatewayProxy;
  /** Of the mesh. */
  readonly rootNamespace: string;
  /** How many Gateways are loaded, whatever they select. */
  readonly gateways: number;
  /** The ports that the Gateways write, each with the container port that it is listened on: `443 → 8443`. */
  readonly servicePorts: ReadonlyMap<number, number>;
  /** The port translation of the gateway's Services; a port that is not in it is listened on as it is written. */
  readonly portTargets: ReadonlyMap<number, number>;
  /** Absent when another thread has loaded it. */
  readonly load?: LoadResult;
}

/** A configuration on its way to the data plane, with everything that was found on the way. */
export interface Compiled extends Configuration {
  readonly load: LoadResult;
  readonly store: Store;
  readonly context: PushContext;
}

/** Thrown when the configuration has errors; nothing was started or changed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
    super(`the configuration has ${errors.length} error${errors.length === 1 ? '' : 's'}: ${errors[0]?.message ?? ''}`);
    this.diagnostics = diagnostics;
  }
}

/** The gateway workload of Istio's own chart, with what the options change. */
export function gatewayProxy(changes: Partial<GatewayProxy> = {}): GatewayProxy {
  return {
    namespace: 'istio-system',
    ipAddress: '127.0.0.1',
    locality: {},
    metadata: {},
    domain: 'cluster.local',
    ...changes,
    labels: { istio: 'ingressgateway', app: 'istio-ingressgateway', ...changes.labels },
  };
}

/** Loads, checks and translates. Throws a ConfigError when a source cannot be used. */
export async function compile(
  sources: readonly Source[],
  options: CompileOptions,
  standIns: StandIns,
  cache?: LoadCache,
): Promise<Compiled> {
  const load = loadConfig(sources, {
    namespace: options.namespace ?? 'default',
    meshConfig: options.meshConfig,
    mesh: options.mesh,
    maxInput: options.maxInput,
    cache,
  });
  const diagnostics: Diagnostic[] = [...load.diagnostics];
  if (hasErrors(diagnostics)) throw new ConfigError(diagnostics);
  const report = collect(diagnostics);
  const proxy = gatewayProxy(options.proxy);

  const secrets = standIns.devCerts
    ? developmentSecrets(
        load.store,
        proxy,
        await standIns.certificates.issueSecrets(findMissingSecrets(load.store, proxy)),
      )
    : [];
  for (const secret of secrets) {
    report(DevelopmentCertificate, secret.resource.origin, { name: secret.name, hosts: secret.hosts.join(', ') });
  }
  const store = extendStore(
    load.store,
    secrets.map((secret) => secret.resource),
  );

  const assumeServices =
    options.assumeServices ?? (store.all('Service').length === 0 && store.all('ServiceEntry').length === 0);
  const workloadCertificates =
    options.workloadCertificates ??
    (needsWorkloadIdentity(store) ? await standIns.certificates.workloadIdentity(proxy) : undefined);
  const context = buildPushContext(store, proxy, {
    assumeServices,
    ...(workloadCertificates === undefined ? {} : { workloadCertificates }),
    readFile: options.readFile ?? readCredentialFile,
  });
  if (assumeServices && options.assumeServices === undefined && store.all('VirtualService').length > 0) {
    report(AssumedServices, undefined, {});
  }

  const translation = translate(context, report);
  const mapped = applyUpstreamMappings(translation.snapshot, options.upstreams ?? [], proxy.domain);
  for (const mapping of mapped.unused) report(UnusedUpstreamMapping, undefined, { mapping: mapping.text });
  const stubbed = standIns.stubs === undefined ? [] : findStubbed(mapped.snapshot, context);
  const stood = withStubs(mapped.snapshot, (await standIns.stubs?.addresses(stubbed)) ?? new Map());
  // Only now: what a mapping or a stub supplies is no finding.
  reportEmptyClusters(context, stood, report);
  const snapshot = options.trustUpstreams === true ? withoutUpstreamChecks(stood) : stood;
  const portTargets = gatewayPortTargets(context.store, context.proxy);
  const gateways = store.all('Gateway');
  const written = gateways.flatMap(({ spec }) => spec.servers.map(({ port }) => port.number));
  return {
    load,
    store,
    context,
    snapshot,
    origins: translation.origins,
    diagnostics,
    assumedServices: assumeServices,
    stubbed,
    developmentSecrets: secrets.map((secret) => secret.name),
    counts: load.counts,
    proxy,
    rootNamespace: store.mesh.rootNamespace ?? 'istio-system',
    gateways: gateways.length,
    servicePorts: new Map(written.map((port) => [port, portTargets.get(port) ?? port])),
    portTargets,
  };
}
