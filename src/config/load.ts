// Texts to typed resources: every document of every source, decoded as far as it goes, with everything that is wrong
// with it reported at once. Never throws for what a user wrote. Spec validation.md §0, §8.
import {
  ContractNamedAsConfiguration,
  InputTooLarge,
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
import { checkObject } from './validate/core-object.js';
import { askWebhook, type WebhookAnswer } from './validate/webhook.js';
import { WrittenObject } from './written-object.js';
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
  /** Files with more bytes than this are refused; default 8 MiB. */
  readonly maxInput?: number | undefined;
  /** Files that have not changed since the last load with this cache are taken from it. */
  readonly cache?: LoadCache | undefined;
  /** Called after each file. */
  readonly progress?: ((done: number, total: number) => void) | undefined;
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
  readonly diagnostics: readonly Diagnostic[];
  readonly counts: LoadCounts;
  /** Every object, also those that are refused or of no interest to a gateway, in the order of the sources. */
  readonly objects: readonly WrittenObject[];
}

/** What became of one file; depends on nothing but the file. */
interface LoadedFile {
  readonly text: string;
  readonly resources: readonly LoadedResource[];
  readonly objects: readonly WrittenObject[];
  readonly diagnostics: readonly Diagnostic[];
  readonly documents: number;
  readonly noKind: number;
  readonly contracts: number;
  readonly otherKinds: ReadonlyMap<string, number>;
}

/** Remembers files by name and content, so that loading again costs what has changed. */
export class LoadCache {
  private files = new Map<string, LoadedFile>();

  /** @internal The file as it was loaded, or as `load` loads it now. */
  file(key: string, text: string, load: () => LoadedFile): LoadedFile {
    const known = this.files.get(key);
    if (known?.text === text) return known;
    const loaded = load();
    this.files.set(key, loaded);
    return loaded;
  }

  /** @internal Forgets files that are gone. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.files.keys()) if (!keys.has(key)) this.files.delete(key);
  }
}

/** More than any configuration that people look at, and read within two seconds. */
const MAX_INPUT = 8 * 1024 * 1024;

/**
 * Loads configuration.
 *
 *     const { store, diagnostics } = loadConfig([{ file: 'gateway.yaml', text, named: true }]);
 *     store.get('Gateway', 'default', 'public')?.at(['spec', 'servers', 0, 'port']); // { file: 'gateway.yaml', line: 9, … }
 *
 * An object with an error is left out of the store; the caller decides whether errors stop everything.
 */
export function loadConfig(sources: readonly Source[], options: LoadOptions = {}): LoadResult {
  const namespace = options.namespace ?? 'default';
  const limit = options.maxInput ?? MAX_INPUT;
  const assembly = new Assembly();
  const keys = new Set<string>();
  for (const [index, source] of sources.entries()) {
    const load = (): LoadedFile => new FileLoader(source, namespace, limit).load();
    const key = `${namespace} ${limit} ${source.named} ${source.file}`;
    assembly.add(options.cache === undefined ? load() : options.cache.file(key, source.text, load));
    keys.add(key);
    options.progress?.(index + 1, sources.length);
  }
  options.cache?.keep(keys);
  return assembly.finish(options);
}

/** What kubectl does not even send is refused before anything else is. */
const UNREADABLE = { refusedBy: 'strict' } as const;
const NO_OBJECT = { refusedBy: 'kind' } as const;

/** Reads one file. */
class FileLoader {
  private readonly source: Source;
  private readonly defaultNamespace: string;
  private readonly limit: number;
  private readonly diagnostics: Diagnostic[] = [];
  private readonly report: Reporter = collect(this.diagnostics);
  private readonly resources: LoadedResource[] = [];
  private readonly objects: WrittenObject[] = [];
  private documents = 0;
  private noKind = 0;
  private contracts = 0;
  private readonly otherKinds = new Map<string, number>();

  constructor(source: Source, defaultNamespace: string, limit: number) {
    this.source = source;
    this.defaultNamespace = defaultNamespace;
    this.limit = limit;
  }

  load(): LoadedFile {
    const { source } = this;
    const file = new SourceFile(source.file, source.text);
    const size = Buffer.byteLength(source.text);
    if (size > this.limit)
      this.report(InputTooLarge, file.origin({ start: 0, end: 0 }), { size, limit: this.limit }, UNREADABLE);
    for (const document of size > this.limit ? [] : parseYaml(file.text)) {
      const kind = document.root === undefined ? undefined : textOf(document.root, 'kind');
      const resource = document.root === undefined || kind === undefined ? undefined : this.nameOf(document.root, kind);
      for (const problem of document.problems) {
        const origin = file.origin(problem.span, resource);
        if (problem.kind === 'syntax') this.report(YamlSyntax, origin, { reason: problem.reason }, UNREADABLE);
        else {
          const firstLine = file.origin(problem.first).line;
          const key = isOpenKind(kind) ? problem.key : hideEncoded(problem.key);
          this.report(YamlDuplicateKey, origin, { key, firstLine });
        }
      }
      if (document.root !== undefined && !isNull(document.root)) this.loadDocument(document.root, file, source.named);
    }
    return {
      text: source.text,
      resources: this.resources,
      objects: this.objects,
      diagnostics: this.diagnostics,
      documents: this.documents,
      noKind: this.noKind,
      contracts: this.contracts,
      otherKinds: this.otherKinds,
    };
  }

  private loadDocument(root: YamlNode, file: SourceFile, named: boolean): void {
    if (entryOf(root, 'contract') !== undefined && textOf(root, 'kind') === undefined) {
      this.documents++;
      this.contracts++;
      if (named) this.report(ContractNamedAsConfiguration, file.origin(root), {}, NO_OBJECT);
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
        this.report(NotAnObject, file.origin(root), { reason }, NO_OBJECT);
      }
      return;
    }
    const found = this.diagnostics.length;
    this.loadKind(root, file, { apiVersion, kind });
    const { group } = splitApiVersion(apiVersion);
    this.objects.push(
      new WrittenObject({ kind, group, root, file }, this.defaultNamespace, this.diagnostics.slice(found)),
    );
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
    checkObject(definition.kind, written?.name, root, (type, span, parameters) =>
      context.report(type, span, parameters, { refusedBy: 'schema' }),
    );
    const answer = askWebhook(definition.group, definition.kind, root, this.defaultNamespace);
    const refused = this.tell(root, file, definition.kind, found, answer);
    if (refused || decoded === undefined || written?.name === undefined) return;
    this.resources.push(
      new LoadedResource(definition.kind, apiVersion, decoded.spec, file, root, {
        name: written.name,
        namespace: definition.namespaced ? (written.namespace ?? this.defaultNamespace) : '',
        labels: written.labels,
        annotations: written.annotations,
        creationTimestamp: written.creationTimestamp ?? 0,
      }),
    );
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
    const verdict = judge(found, answer, entryOf(root, 'kind')?.value ?? root);
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
}

/** Puts the files together: of objects with one name the last counts, and MeshConfig may come from several places. */
class Assembly {
  private readonly diagnostics: Diagnostic[] = [];
  private readonly report: Reporter = collect(this.diagnostics);
  private readonly resources = new Map<string, LoadedResource>();
  private readonly objects: WrittenObject[] = [];
  private documents = 0;
  private noKind = 0;
  private contracts = 0;
  private readonly otherKinds = new Map<string, number>();

  add(file: LoadedFile): void {
    const replaced: Diagnostic[] = [];
    for (const resource of file.resources) this.addResource(resource, collect(replaced));
    for (const diagnostic of mergeByLine(file.diagnostics, replaced)) this.diagnostics.push(diagnostic);
    for (const object of file.objects) this.objects.push(object);
    this.documents += file.documents;
    this.noKind += file.noKind;
    this.contracts += file.contracts;
    for (const [kind, count] of file.otherKinds) this.otherKinds.set(kind, (this.otherKinds.get(kind) ?? 0) + count);
  }

  private addResource(resource: LoadedResource, report: Reporter): void {
    const name = resourceName(resource);
    const earlier = this.resources.get(name);
    if (earlier !== undefined) {
      const { file, line } = earlier.origin;
      report(ObjectReplaced, resource.nameOrigin(), { resource: name, first: `${file}:${line}` });
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
      diagnostics: this.diagnostics,
      objects: this.objects,
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

/**
 * Puts further diagnostics of a file between those that are there. These come object by object, and of one object what
 * istiod says comes in istiod's order, so that they cannot be sorted by place.
 */
function mergeByLine(told: readonly Diagnostic[], more: readonly Diagnostic[]): readonly Diagnostic[] {
  const merged = [...told];
  for (const diagnostic of more) {
    const line = diagnostic.origin?.line ?? 0;
    const at = merged.findIndex(({ origin }) => (origin?.line ?? 0) > line);
    merged.splice(at === -1 ? merged.length : at, 0, diagnostic);
  }
  return merged;
}

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
