// Texts to typed resources: every document of every source, decoded as far as it goes, with everything that is wrong
// with it reported at once. Never throws for what a user wrote. Spec validation.md §0, §8.
import {
  ContractNamedAsConfiguration,
  KindNotEmulated,
  NameMissing,
  NotAnObject,
  ObjectReplaced,
  ProxyConfigOfWorkload,
  UnknownKind,
  YamlDuplicateKey,
  YamlSyntax,
} from '../diagnostics/catalogue.js';
import { collect, type Diagnostic, type Reporter } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import { hideEncoded } from '../diagnostics/secret-mask.js';
import { type DecodeContext, Place } from './decode/place.js';
import type { KindDefinition } from './fields/common.js';
import { KIND_DEFINITIONS } from './fields.js';
import { proxyConfigAnnotation } from './gateway-workload.js';
import { isGroupOfIstio, KINDS_NOT_EMULATED } from './known-kinds.js';
import { LoadedResource } from './loaded-resource.js';
import { loadMeshConfig, mergeMeshConfig, meshConfigMapText } from './mesh-config-source.js';
import type { MeshConfig } from './model/mesh-config.js';
import { type Kind, type Resource, resourceName } from './model/resource.js';
import { judge, type Report } from './refusal.js';
import { SourceFile } from './source-file.js';
import { createStore, type Store } from './store.js';
import { askWebhook, type WebhookAnswer } from './validate/webhook.js';
import { parseYaml } from './yaml/parse.js';
import { entryOf, isNull, textOf, type YamlNode } from './yaml/tree.js';

/** A text to load. */
export interface Source {
  /** As it shall appear in diagnostics; '-' for standard input. */
  readonly file: string;
  readonly text: string;
  /** Given on the command line itself; a file found in a folder may be something else than configuration. */
  readonly named: boolean;
}

/** What else counts beside the texts. */
export interface LoadOptions {
  /** Of objects that name none; default 'default'. */
  readonly namespace?: string;
  /** A file with MeshConfig; wins over the ConfigMap `istio`, field by field. */
  readonly meshConfig?: Source | undefined;
  /** Already decoded mesh settings, laid over everything. */
  readonly mesh?: MeshConfig | undefined;
}

/** What became of the documents. */
export interface LoadCounts {
  /** Not counting empty ones; items of a List count one by one. */
  readonly documents: number;
  /** Objects in the store. */
  readonly loaded: number;
  readonly loadedByKind: Readonly<Partial<Record<Kind, number>>>;
  readonly skipped: SkippedCounts;
}

/** Documents that were passed over without being wrong. */
export interface SkippedCounts {
  /** Documents in folders without apiVersion and kind. */
  readonly noKind: number;
  /** Contract files in folders. */
  readonly contract: number;
  /** Objects of kinds that have nothing to do with a gateway. */
  readonly otherKinds: number;
  readonly otherByKind: Readonly<Record<string, number>>;
}

/** The store holds what is free of errors; the diagnostics say what is not. */
export interface LoadResult {
  readonly store: Store;
  /** Objects that a cluster would not have stored, as far as they can be read; in no store. */
  readonly refused: readonly Resource[];
  readonly diagnostics: readonly Diagnostic[];
  readonly counts: LoadCounts;
}

/**
 * Loads configuration.
 *
 *     const { store, diagnostics } = loadConfig([{ file: 'gateway.yaml', text, named: true }]);
 *     store.get('Gateway', 'default', 'public')?.at(['spec', 'servers', 0, 'port']); // { file: 'gateway.yaml', line: 9, … }
 *
 * An object with an error is left out of the store; the caller decides whether errors stop everything.
 */
export function loadConfig(sources: readonly Source[], options: LoadOptions = {}): LoadResult {
  const loader = new Loader(options.namespace ?? 'default');
  for (const source of sources) loader.loadSource(source);
  return loader.finish(options);
}

class Loader {
  private readonly defaultNamespace: string;
  private readonly diagnostics: Diagnostic[] = [];
  private readonly report: Reporter = collect(this.diagnostics);
  private readonly resources = new Map<string, LoadedResource>();
  private readonly refused: LoadedResource[] = [];
  private documents = 0;
  private noKind = 0;
  private contracts = 0;
  private readonly otherKinds = new Map<string, number>();

  constructor(defaultNamespace: string) {
    this.defaultNamespace = defaultNamespace;
  }

  loadSource(source: Source): void {
    const file = new SourceFile(source.file, source.text);
    for (const document of parseYaml(file.text)) {
      const kind = document.root === undefined ? undefined : textOf(document.root, 'kind');
      const resource = document.root === undefined || kind === undefined ? undefined : this.nameOf(document.root, kind);
      for (const problem of document.problems) {
        const origin = file.origin(problem.span, resource);
        if (problem.kind === 'syntax') this.report(YamlSyntax, origin, { reason: problem.reason });
        else {
          const firstLine = file.origin(problem.first).line;
          const key = isOpenKind(kind) ? problem.key : hideEncoded(problem.key);
          this.report(YamlDuplicateKey, origin, { key, firstLine });
        }
      }
      if (document.root !== undefined && !isNull(document.root)) this.loadDocument(document.root, file, source.named);
    }
  }

  private loadDocument(root: YamlNode, file: SourceFile, named: boolean): void {
    if (entryOf(root, 'contract') !== undefined && textOf(root, 'kind') === undefined) {
      this.documents++;
      this.contracts++;
      if (named) this.report(ContractNamedAsConfiguration, file.origin(root));
      return;
    }
    this.loadObject(root, file, named, undefined);
  }

  /** `inherited`: apiVersion and kind of the items of a typed list, which may leave them out. */
  private loadObject(root: YamlNode, file: SourceFile, named: boolean, inherited: TypeMeta | undefined): void {
    const apiVersion = textOf(root, 'apiVersion') ?? inherited?.apiVersion;
    const kind = textOf(root, 'kind') ?? inherited?.kind;
    const items = entryOf(root, 'items')?.value;
    if (kind?.endsWith('List') === true && items?.kind === 'list') {
      const itemKind = kind.slice(0, -'List'.length);
      const meta = itemKind === '' || apiVersion === undefined ? undefined : { apiVersion, kind: itemKind };
      for (const item of items.items) this.loadObject(item, file, named, meta);
      return;
    }
    this.documents++;
    if (apiVersion === undefined || kind === undefined) {
      const meantForUs =
        kind !== undefined && Object.hasOwn(KIND_DEFINITIONS, kind) && entryOf(root, 'metadata') !== undefined;
      if (!named && !meantForUs) this.noKind++;
      else {
        const reason = apiVersion === undefined ? 'apiVersion not set' : 'kind not set';
        this.report(NotAnObject, file.origin(root), { reason });
      }
      return;
    }
    this.loadKind(root, file, { apiVersion, kind });
  }

  private loadKind(root: YamlNode, file: SourceFile, { apiVersion, kind }: TypeMeta): void {
    const { group, version } = splitApiVersion(apiVersion);
    const definition = definitionOf(kind, group);
    const annotation = proxyConfigAnnotation(root, kind);
    if (annotation !== undefined)
      this.report(ProxyConfigOfWorkload, file.origin(annotation.keySpan, this.nameOf(root, kind)), {});
    if (definition?.versions.includes(version) === true) {
      this.decode(root, file, definition, apiVersion);
      return;
    }
    const resource = this.nameOf(root, kind);
    if (KINDS_NOT_EMULATED.get(group)?.has(kind) === true) {
      const span = entryOf(root, 'kind')?.keySpan ?? root;
      const said: Report = { type: KindNotEmulated, span, parameters: { kind, group }, details: {} };
      this.tell(root, file, kind, [said], askWebhook(group, kind, root, this.defaultNamespace));
    } else if (definition !== undefined || isGroupOfIstio(group)) {
      const at = entryOf(root, definition === undefined ? 'kind' : 'apiVersion')?.value ?? root;
      this.report(UnknownKind, file.origin(at, resource), { kind, apiVersion }, { refusedBy: 'kind' });
    } else {
      this.otherKinds.set(kind, (this.otherKinds.get(kind) ?? 0) + 1);
    }
  }

  private decode(root: YamlNode, file: SourceFile, definition: KindDefinition, apiVersion: string): void {
    const found: Report[] = [];
    const context: DecodeContext = {
      strictness: 'strict',
      report: (type, span, parameters = {}, details = {}) => {
        const shown = definition.kind === 'Secret' ? withoutKeys(parameters) : parameters;
        found.push({ type, span, parameters: shown, details });
      },
    };
    const decoded = definition.root.read(root, Place.root(context));
    const written = decoded?.metadata;
    if (written !== undefined && written.name === undefined) {
      context.report(NameMissing, entryOf(root, 'metadata')?.keySpan ?? root, {}, { refusedBy: 'schema' });
    }
    const answer = askWebhook(definition.group, definition.kind, root, this.defaultNamespace);
    const refused = this.tell(root, file, definition.kind, found, answer);
    if (decoded === undefined || written?.name === undefined) return;
    const resource = new LoadedResource(definition.kind, apiVersion, decoded.spec, file, root, {
      name: written.name,
      namespace: definition.namespaced ? (written.namespace ?? this.defaultNamespace) : '',
      labels: written.labels,
      annotations: written.annotations,
      creationTimestamp: written.creationTimestamp ?? 0,
    });
    if (refused) this.refused.push(resource);
    else this.add(resource);
  }

  /** Reports what a cluster would say of an object; true when it would not store it. */
  private tell(
    root: YamlNode,
    file: SourceFile,
    kind: string,
    found: readonly Report[],
    answer: WebhookAnswer | undefined,
  ): boolean {
    const name = this.nameOf(root, kind);
    const objectSpan = entryOf(root, 'kind')?.value ?? root;
    const verdict = judge(found, answer, objectSpan);
    for (const { type, span, parameters, details } of verdict.reports) {
      this.report(type, file.origin(span, name), parameters, details);
    }
    return verdict.refusedBy !== undefined;
  }

  /** 'Gateway/shop/public' of an object that may not be decodable. */
  private nameOf(root: YamlNode, kind: string): string {
    const metadata = entryOf(root, 'metadata')?.value;
    const name = wordOf(metadata, 'name') ?? '';
    const namespace = kind === 'Namespace' ? '' : `${wordOf(metadata, 'namespace') ?? this.defaultNamespace}/`;
    return `${kind}/${namespace}${name}`;
  }

  private add(resource: LoadedResource): void {
    const name = resourceName(resource);
    const earlier = this.resources.get(name);
    if (earlier !== undefined) {
      const { file, line } = earlier.origin;
      this.report(ObjectReplaced, resource.nameOrigin(), { resource: name, first: `${file}:${line}` });
      this.resources.delete(name);
    }
    this.resources.set(name, resource);
  }

  finish(options: LoadOptions): LoadResult {
    const resources: Resource[] = [...this.resources.values()];
    const mesh = this.mesh(options);
    const loadedByKind: Partial<Record<Kind, number>> = {};
    for (const { kind } of resources) loadedByKind[kind] = (loadedByKind[kind] ?? 0) + 1;
    return {
      store: createStore(resources, mesh),
      refused: this.refused,
      diagnostics: this.diagnostics,
      counts: {
        documents: this.documents,
        loaded: resources.length,
        loadedByKind,
        skipped: {
          noKind: this.noKind,
          contract: this.contracts,
          otherKinds: [...this.otherKinds.values()].reduce((sum, count) => sum + count, 0),
          otherByKind: Object.fromEntries(this.otherKinds),
        },
      },
    };
  }

  private mesh(options: LoadOptions): MeshConfig {
    const layers: (MeshConfig | undefined)[] = [];
    const configMap = this.resources.get('ConfigMap/istio-system/istio');
    const written = configMap === undefined ? undefined : meshConfigMapText(configMap);
    if (written !== undefined) layers.push(loadMeshConfig(written, this.report));
    if (options.meshConfig !== undefined) {
      const file = new SourceFile(options.meshConfig.file, options.meshConfig.text);
      layers.push(loadMeshConfig({ text: file.text, origin: (span): Origin => file.origin(span) }, this.report));
    }
    layers.push(options.mesh);
    return layers.reduce<MeshConfig>((mesh, layer) => (layer === undefined ? mesh : mergeMeshConfig(mesh, layer)), {});
  }
}

/** Objects of which every name may be shown; a List may hold Secrets. */
function isOpenKind(kind: string | undefined): boolean {
  return kind !== undefined && kind !== 'Secret' && !kind.endsWith('List');
}

function withoutKeys(parameters: Parameters = {}): Parameters {
  const shown = Object.entries(parameters).map(([name, value]) => [name, hideEncoded(String(value))]);
  return Object.fromEntries(shown);
}

type Parameters = Readonly<Record<string, string | number>>;

interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

function splitApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf('/');
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

function definitionOf(kind: string, group: string): KindDefinition | undefined {
  const definition = Object.values<KindDefinition>(KIND_DEFINITIONS).find((candidate) => candidate.kind === kind);
  return definition?.group === group ? definition : undefined;
}

function wordOf(metadata: YamlNode | undefined, key: string): string | undefined {
  const value = metadata === undefined ? undefined : entryOf(metadata, key)?.value;
  return value?.kind === 'scalar' ? (value.word ?? String(value.value)) : undefined;
}
