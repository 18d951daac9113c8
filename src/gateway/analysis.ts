// Analysis of a configuration: loading, translation and the analyzers together. A session remembers what has not
// changed, so that a second look is quick.
import { type Analysis, analyzeConfig, analyzeGateway } from '../analyze/analyze.js';
import type { AssumedGateway } from '../analyze/object-index.js';
import { compareObjects, isInSlice, type Slice, sliceAround } from '../analyze/slice.js';
import { parseSuppression, type Suppression } from '../analyze/suppression.js';
import { LoadCache, type LoadResult, loadConfig, type Source } from '../config/load.js';
import { resourceName } from '../config/model/resource.js';
import { filterStore, type Store } from '../config/store.js';
import type { WrittenObject } from '../config/written-object.js';
import {
  AssumedServices,
  ListenerRejected,
  ListenerWithoutChains,
  NoVirtualServiceBound,
  RouteTableRejected,
  RouteTableWithoutHosts,
  ServerWithoutNetworkFilter,
} from '../diagnostics/catalogue.js';
import { collect, type Diagnostic } from '../diagnostics/diagnostic.js';
import { buildPushContext } from '../registry/build-push-context.js';
import type { WorkloadCertificates } from '../registry/push-context.js';
import { translate } from '../translate/translate.js';
import { type CompileOptions, gatewayProxy } from './compile.js';
import { readCredentialFile } from './credential-files.js';
import { DevelopmentCertificates, needsWorkloadIdentity } from './development-certificates.js';
import { applyUpstreamMappings } from './upstream-mapping.js';

/** What `postern analyze` and the library's `analyze` are told. */
export interface AnalysisOptions extends CompileOptions {
  /** Shows findings of istioctl's analyzers on objects of this namespace only. */
  readonly selectedNamespace?: string | undefined;
  readonly suppressions?: readonly Suppression[] | undefined;
  /** Milliseconds since the epoch; default: now. */
  readonly now?: number | undefined;
  /** Called after each file that was read. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

/** Everything there is to say of a configuration. */
export interface AnalysisResult extends Analysis {
  readonly load: LoadResult;
}

/** The part that takes long: what the emulated gateway makes of it. */
interface GatewayLook {
  readonly options: AnalysisOptions;
  readonly store: Store;
  readonly objects: readonly WrittenObject[];
  readonly assumeServices: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Looks at configurations one after the other.
 *
 *     const session = new AnalysisSession();
 *     (await session.analyze(sources, {})).diagnostics;
 *     (await session.analyze(changedSources, {})).diagnostics; // as from the start, and much faster
 *
 * Files that are the same are not read again, and after an edit of VirtualServices only the Gateways that they have to do
 * with are translated.
 */
export class AnalysisSession {
  private readonly cache = new LoadCache();
  private readonly certificates = new DevelopmentCertificates(undefined);
  private last: GatewayLook | undefined = undefined;

  /** Never throws for what users write. The same `options` object says that nothing but the files has changed. */
  async analyze(sources: readonly Source[], options: AnalysisOptions): Promise<AnalysisResult> {
    const load = loadConfig(sources, {
      namespace: options.namespace ?? 'default',
      meshConfig: options.meshConfig,
      mesh: options.mesh,
      maxInput: options.maxInput,
      cache: this.cache,
      progress: options.progress,
    });
    const now = options.now ?? Date.now();
    const workloadCertificates = await this.identity(load.store, options);
    const looker = new Looker(options, workloadCertificates, now);
    const look = looker.lookAgain(this.last, load) ?? looker.look(load.store, load.objects);
    this.last = look;
    const analysis = analyzeConfig(load, {
      assumed: looker.assumed,
      now,
      namespace: options.selectedNamespace,
      suppressions: options.suppressions,
      others: look.diagnostics.map((diagnostic) => placed(diagnostic, sources)),
    });
    return { ...analysis, load };
  }

  private async identity(store: Store, options: AnalysisOptions): Promise<WorkloadCertificates | undefined> {
    if (options.workloadCertificates !== undefined) return options.workloadCertificates;
    return needsWorkloadIdentity(store) ? this.certificates.workloadIdentity(gatewayProxy(options.proxy)) : undefined;
  }
}

/** What `istioctl analyze` alone would say of a configuration that has been loaded, without what loading said. */
export function istioctlFindings(load: LoadResult, options: CompileOptions): readonly Diagnostic[] {
  const { assumed } = new Looker(options, undefined, 0);
  return analyzeConfig({ ...load, diagnostics: [] }, { assumed, now: Date.now() }).diagnostics;
}

/** Messages about what several Gateways share: a slice cannot say them. */
const SHARED: ReadonlySet<string> = new Set(
  [
    ListenerRejected,
    ListenerWithoutChains,
    NoVirtualServiceBound,
    RouteTableRejected,
    RouteTableWithoutHosts,
    ServerWithoutNetworkFilter,
  ].map(({ code }) => code),
);

/** Translates and asks our own analyzers. */
class Looker {
  /** istioctl's Pod has one label; those that were asked for are added. */
  readonly assumed: AssumedGateway;
  private readonly options: AnalysisOptions;
  private readonly workloadCertificates: WorkloadCertificates | undefined;
  private readonly now: number;

  constructor(options: AnalysisOptions, workloadCertificates: WorkloadCertificates | undefined, now: number) {
    const { namespace } = gatewayProxy(options.proxy);
    this.assumed = { namespace, labels: { istio: 'ingressgateway', ...options.proxy?.labels } };
    this.options = options;
    this.workloadCertificates = workloadCertificates;
    this.now = now;
  }

  look(store: Store, objects: readonly WrittenObject[], assumed?: boolean): GatewayLook {
    const { options } = this;
    const diagnostics: Diagnostic[] = [];
    const report = collect(diagnostics);
    const assumeServices =
      assumed ??
      options.assumeServices ??
      (store.all('Service').length === 0 && store.all('ServiceEntry').length === 0);
    if (assumeServices && options.assumeServices === undefined && store.all('VirtualService').length > 0)
      report(AssumedServices, undefined, {});
    const proxy = gatewayProxy(options.proxy);
    const push = buildPushContext(store, proxy, {
      assumeServices,
      ...(this.workloadCertificates === undefined ? {} : { workloadCertificates: this.workloadCertificates }),
      readFile: options.readFile ?? readCredentialFile,
    });
    const { snapshot: translated, origins } = translate(push, report);
    const { snapshot } = applyUpstreamMappings(translated, options.upstreams ?? [], proxy.domain);
    const { mesh } = store;
    const own = analyzeGateway(objects, { push, snapshot, origins }, { assumed: this.assumed, now: this.now, mesh });
    return { options, store, objects, assumeServices, diagnostics: [...diagnostics, ...own] };
  }

  /** The last look with what a small change does to it; `undefined` when everything has to be looked at. */
  lookAgain(last: GatewayLook | undefined, { store, objects }: LoadResult): GatewayLook | undefined {
    if (last === undefined || last.options !== this.options) return undefined;
    if (JSON.stringify(last.store.mesh) !== JSON.stringify(store.mesh)) return undefined;
    const changed = compareObjects(last.objects, objects);
    if (changed === undefined) return undefined;
    const slice = sliceAround(changed, last.objects, objects);
    const before = this.lookAt(slice, last.store, last.objects, last.assumeServices);
    const after = this.lookAt(slice, store, objects, last.assumeServices);
    const gone = without(before, after);
    const come = without(after, before);
    if ([...gone, ...come].some(({ code }) => SHARED.has(code))) return undefined;
    const kept = without(last.diagnostics, gone).map((diagnostic) => shifted(diagnostic, changed.shifts));
    return { ...last, store, objects, diagnostics: [...kept, ...come] };
  }

  private lookAt(
    slice: Slice,
    store: Store,
    objects: readonly WrittenObject[],
    assumeServices: boolean,
  ): readonly Diagnostic[] {
    return this.look(
      filterStore(store, (resource) => isInSlice(slice, resource.kind, resourceName(resource))),
      objects.filter(({ kind, resource }) => isInSlice(slice, kind, resource)),
      assumeServices,
    ).diagnostics;
  }
}

/** The diagnostics of `all` that are not in `some`, counting each as often as it is there. */
function without(all: readonly Diagnostic[], some: readonly Diagnostic[]): readonly Diagnostic[] {
  const left = new Map<string, number>();
  for (const one of some) {
    const key = JSON.stringify(one);
    left.set(key, (left.get(key) ?? 0) + 1);
  }
  return all.filter((one) => {
    if (left.size === 0) return true;
    const key = JSON.stringify(one);
    const count = left.get(key);
    if (count === undefined) return true;
    if (count === 1) left.delete(key);
    else left.set(key, count - 1);
    return false;
  });
}

/** A diagnostic whose object stands on other lines than before. */
function shifted(diagnostic: Diagnostic, shifts: ReadonlyMap<string, number>): Diagnostic {
  const { origin } = diagnostic;
  const lines = origin?.resource === undefined ? undefined : shifts.get(origin.resource);
  if (origin === undefined || lines === undefined) return diagnostic;
  const endLine = origin.endLine === undefined ? {} : { endLine: origin.endLine + lines };
  return { ...diagnostic, origin: { ...origin, line: origin.line + lines, ...endLine } };
}

/** What concerns the configuration as a whole is shown at its beginning: every finding points at a line. */
function placed(diagnostic: Diagnostic, sources: readonly Source[]): Diagnostic {
  const file = sources[0]?.file;
  if (diagnostic.origin !== undefined || file === undefined) return diagnostic;
  return { ...diagnostic, origin: { file, line: 1, column: 1 } };
}

export { parseSuppression, type Suppression };
