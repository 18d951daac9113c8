// A resource that came from a file. Lines and columns are computed when somebody asks: of the fields of a large
// configuration hardly any is ever looked up.
import type { Origin } from '../diagnostics/origin.js';
import {
  type FieldPath,
  type Kind,
  type KindSpecs,
  type Metadata,
  type Resource,
  resourceName,
} from './model/resource.js';
import type { SourceFile } from './source-file.js';
import { type Span, spanAt, type YamlNode } from './yaml/tree.js';

/** A decoded object that still knows where each of its fields is written. */
export class LoadedResource<K extends Kind = Kind> implements Resource<K> {
  readonly kind: K;
  readonly apiVersion: string;
  readonly metadata: Metadata;
  readonly spec: KindSpecs[K];
  readonly root: YamlNode;
  readonly file: SourceFile;

  constructor(kind: K, apiVersion: string, spec: KindSpecs[K], file: SourceFile, root: YamlNode, metadata: Metadata) {
    this.kind = kind;
    this.apiVersion = apiVersion;
    this.metadata = metadata;
    this.spec = spec;
    this.root = root;
    this.file = file;
  }

  get origin(): Origin {
    return this.originOf(this.root);
  }

  at(path: FieldPath): Origin {
    return this.originOf(spanAt(this.root, path));
  }

  /** Where the object says its name. */
  nameOrigin(): Origin {
    return this.at(['metadata', 'name']);
  }

  originOf(span: Span): Origin {
    return this.file.origin(span, resourceName(this));
  }
}
