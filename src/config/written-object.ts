// An object as it stands in a file: of whatever kind, and whether or not a cluster would take it. Analyzers look at
// these, since `istioctl analyze` reads what the API server would refuse and kinds that no gateway has to do with
// (spec validation.md §8.1, §10.3).
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import type { SourceFile } from './source-file.js';
import { entryOf, type Span, type YamlNode } from './yaml/tree.js';

/** Kinds without a namespace, as far as anybody here looks at them. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['Namespace', 'Node', 'GatewayClass', 'CustomResourceDefinition']);

/** One object of a file; items of a List count one by one. */
export class WrittenObject {
  readonly kind: string;
  /** '' is the core group. */
  readonly group: string;
  /** '' where nothing is written. */
  readonly name: string;
  /** '' for cluster-scoped kinds; else the written one or the default of the load. */
  readonly namespace: string;
  readonly root: YamlNode;
  readonly file: SourceFile;
  /** What loading said of it; an error means that it is not in the store. */
  readonly diagnostics: readonly Diagnostic[];
  /** 'Gateway/shop/public', the form in which diagnostics name an object. */
  readonly resource: string;

  constructor(
    written: { readonly kind: string; readonly group: string; readonly root: YamlNode; readonly file: SourceFile },
    defaultNamespace: string,
    diagnostics: readonly Diagnostic[],
  ) {
    this.kind = written.kind;
    this.group = written.group;
    const metadata = entryOf(written.root, 'metadata')?.value;
    this.name = wordOf(metadata, 'name') ?? '';
    this.namespace = CLUSTER_SCOPED.has(written.kind) ? '' : (wordOf(metadata, 'namespace') ?? defaultNamespace);
    this.root = written.root;
    this.file = written.file;
    this.diagnostics = diagnostics;
    this.resource = this.namespace === '' ? `${this.kind}/${this.name}` : `${this.kind}/${this.namespace}/${this.name}`;
  }

  origin(span: Span): Origin {
    return this.file.origin(span, this.resource);
  }
}

function wordOf(metadata: YamlNode | undefined, key: string): string | undefined {
  const value = metadata === undefined ? undefined : entryOf(metadata, key)?.value;
  return value?.kind === 'scalar' ? (value.word ?? String(value.value)) : undefined;
}
