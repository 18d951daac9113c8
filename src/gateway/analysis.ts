// Analysis of a configuration: loading, translation and the analyzers together. A session remembers what has not
// changed, so that a second look is quick.
import { type Analysis, analyzeConfig } from '../analyze/analyze.js';
import { parseSuppression, type Suppression } from '../analyze/suppression.js';
import { LoadCache, type LoadResult, loadConfig, type Source } from '../config/load.js';
import type { Store } from '../config/store.js';
import { AssumedServices } from '../diagnostics/catalogue.js';
import { collect, type Diagnostic } from '../diagnostics/diagnostic.js';
import { buildPushContext } from '../registry/build-push-context.js';
import type { WorkloadCertificates } from '../registry/push-context.js';
import { translate } from '../translate/translate.js';
import { type CompileOptions, gatewayProxy } from './compile.js';
import { readCredentialFile } from './credential-files.js';
import { DevelopmentCertificates, needsWorkloadIdentity } from './development-certificates.js';

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

/** Looks at configurations one after the other; files that are the same are not read again. */
export class AnalysisSession {
  private readonly cache = new LoadCache();
  private readonly certificates = new DevelopmentCertificates(undefined);

  /** Never throws for what users write. */
  async analyze(sources: readonly Source[], options: AnalysisOptions): Promise<AnalysisResult> {
    const load = loadConfig(sources, {
      namespace: options.namespace ?? 'default',
      meshConfig: options.meshConfig,
      mesh: options.mesh,
      maxInput: options.maxInput,
      cache: this.cache,
      progress: options.progress,
    });
    const others: Diagnostic[] = [];
    const report = collect(others);
    const { store } = load;
    const proxy = gatewayProxy(options.proxy);
    const assumeServices =
      options.assumeServices ?? (store.all('Service').length === 0 && store.all('ServiceEntry').length === 0);
    if (assumeServices && options.assumeServices === undefined && store.all('VirtualService').length > 0)
      report(AssumedServices, undefined, {});
    const workloadCertificates = await this.identity(store, options);
    const push = buildPushContext(store, proxy, {
      assumeServices,
      ...(workloadCertificates === undefined ? {} : { workloadCertificates }),
      readFile: options.readFile ?? readCredentialFile,
    });
    const { snapshot, origins } = translate(push, report);
    const analysis = analyzeConfig(load, {
      // istioctl's Pod has one label; those that were asked for are added.
      assumed: { namespace: proxy.namespace, labels: { istio: 'ingressgateway', ...options.proxy?.labels } },
      gateway: { push, snapshot, origins },
      now: options.now ?? Date.now(),
      namespace: options.selectedNamespace,
      suppressions: options.suppressions,
      others: others.map((diagnostic) => placed(diagnostic, sources)),
    });
    return { ...analysis, load };
  }

  private async identity(store: Store, options: AnalysisOptions): Promise<WorkloadCertificates | undefined> {
    if (options.workloadCertificates !== undefined) return options.workloadCertificates;
    return needsWorkloadIdentity(store) ? this.certificates.workloadIdentity(gatewayProxy(options.proxy)) : undefined;
  }
}

/** What concerns the configuration as a whole is shown at its beginning: every finding points at a line. */
function placed(diagnostic: Diagnostic, sources: readonly Source[]): Diagnostic {
  const file = sources[0]?.file;
  if (diagnostic.origin !== undefined || file === undefined) return diagnostic;
  return { ...diagnostic, origin: { file, line: 1, column: 1 } };
}

export { parseSuppression, type Suppression };
