// Text to documents, each on its own: a broken one does not take its neighbours with it. The `yaml` package parses, and
// what words mean is decided here (`scalar.ts`), since its YAML 1.1 schema knows base-60 numbers and dates, and
// Kubernetes' loader does not. Spec validation.md §8.2.
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
} from 'yaml';
import { octetAt } from './encoding.js';
import { resolvePlain } from './scalar.js';
import type { Span, YamlEntry, YamlList, YamlMap, YamlNode, YamlScalar } from './tree.js';

export type YamlProblem =
  | { readonly kind: 'syntax'; readonly span: Span; readonly reason: string }
  /** `span` is the second key, `first` the one that it overrides. */
  | { readonly kind: 'duplicate-key'; readonly span: Span; readonly first: Span; readonly key: string };

export interface ParsedDocument {
  /** `undefined`: broken, or nothing but comments. */
  readonly root: YamlNode | undefined;
  readonly problems: readonly YamlProblem[];
}

/** A document whose aliases stand for more nodes than this is refused ("billion laughs"). */
const MAX_EXPANDED_NODES = 2_000_000;
/** Deeper nesting is no Kubernetes object; it would only exhaust the stack. */
const MAX_DEPTH = 200;

/** Every document of a file, in order; offsets are those of `text`. */
export function parseYaml(text: string): readonly ParsedDocument[] {
  const documents: ParsedDocument[] = [];
  for (const chunk of splitDocuments(text))
    documents.push(...parseChunk(text.slice(chunk.start, chunk.end), chunk.start));
  return documents;
}

// As kubectl does it: a line of `---`, perhaps with blanks or a comment behind it, ends a document whatever stands
// before it. The parser alone would let an unclosed quote swallow the rest of the file.
const SEPARATOR = /^---[ \t]*(?:#[^\n]*)?\r?$/gm;

function splitDocuments(text: string): readonly Span[] {
  const chunks: Span[] = [];
  let start = text.startsWith('\uFEFF') ? 1 : 0;
  for (const match of text.matchAll(SEPARATOR)) {
    chunks.push(...splitJson(text, { start, end: match.index }));
    start = match.index + match[0].length;
  }
  chunks.push(...splitJson(text, { start, end: text.length }));
  return chunks;
}

// A string runs to its quote, or to the end: an unclosed one is looked at once.
const JSON_TOKEN = /"(?:[^"\\]|\\.)*(?:"|$)|[{}[\]]|[^\s"{}[\]]+/gs;

/** JSON values may follow each other without a separator, as kubectl reads them. */
function splitJson(text: string, chunk: Span): readonly Span[] {
  const chunks: Span[] = [];
  let start = chunk.start;
  let depth = 0;
  let closed = false;
  for (const match of text.slice(chunk.start, chunk.end).matchAll(JSON_TOKEN)) {
    const [word] = match;
    if (depth === 0 && word !== '{') break; // not JSON, or not any more
    if (closed) {
      const at = chunk.start + match.index;
      chunks.push({ start, end: at });
      start = at;
    }
    if (word === '{' || word === '[') depth++;
    else if (word === '}' || word === ']') depth--;
    closed = depth === 0;
  }
  chunks.push({ start, end: chunk.end });
  return chunks;
}

const PARSE_OPTIONS = {
  schema: 'failsafe',
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
  resolveKnownTags: false,
} as const;

const BLANK = /^(?:\s*(?:#[^\n]*)?(?:\n|$))*$/;

function parseChunk(chunk: string, base: number): readonly ParsedDocument[] {
  const unreadable = unreadableCharacter(chunk);
  if (unreadable !== undefined) {
    const span = { start: base + unreadable.at, end: base + unreadable.at + 1 };
    return [{ root: undefined, problems: [{ kind: 'syntax', span, reason: unreadable.reason }] }];
  }
  if (chunk.length < 4096 && BLANK.test(chunk)) return [];
  const parsed: ParsedDocument[] = [];
  const depth = nestingDepth(chunk);
  if (depth !== undefined) {
    const span = { start: base + depth, end: base + depth + 1 };
    return [
      { root: undefined, problems: [{ kind: 'syntax', span, reason: `nested more than ${MAX_DEPTH} levels deep` }] },
    ];
  }
  const documents = parseNodes(chunk);
  if (documents === undefined) {
    const reason = `nested more than ${MAX_DEPTH} levels deep`;
    return [{ root: undefined, problems: [{ kind: 'syntax', span: { start: base, end: base + 1 }, reason }] }];
  }
  // What is missing at the end of a document is shown where its text ends, not after blank lines.
  const lastCharacter = Math.max(chunk.trimEnd().length - 1, 0);
  if (!Array.isArray(documents)) return [];
  for (const document of documents) {
    const problems: YamlProblem[] = document.errors.map((error) => ({
      kind: 'syntax',
      span: spanOfError(error.pos, base, lastCharacter),
      reason: reasonOf(error.code, error.message),
    }));
    if (problems.length > 0 || document.contents === null) {
      // One mistake makes the parser stumble over what follows; the first is the one to mend.
      if (problems.length > 0) parsed.push({ root: undefined, problems: problems.slice(0, 1) });
      continue;
    }
    const builder = new TreeBuilder(base, problems);
    const root = builder.build(document.contents);
    parsed.push({ root, problems });
  }
  return parsed;
}

// What the loader's reader accepts; a JSON parser accepts more of it (kubectl hands it what begins with a brace).
const NOT_YAML = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const NOT_JSON = /[^\t\n\r\x20-\ud7ff\ue000-\u{10ffff}]/u;

/** The first character that the loader refuses wherever it stands, be it in a comment. */
function unreadableCharacter(chunk: string): { readonly at: number; readonly reason: string } | undefined {
  const at = chunk.search(/^\s*\{/.test(chunk) ? NOT_JSON : NOT_YAML);
  if (at === -1) return undefined;
  const octet = octetAt(chunk, at);
  const reason = octet >= 0x80 && octet <= 0xff ? `invalid UTF-8 octet 0x${octet.toString(16)}` : undefined;
  return { at, reason: reason ?? 'control characters are not allowed' };
}

/** `undefined`: block nesting so deep that the parser, which calls itself, ran out of stack. */
function parseNodes(chunk: string): ReturnType<typeof parseAllDocuments> | undefined {
  try {
    return parseAllDocuments(chunk, PARSE_OPTIONS);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Offset of the bracket that opens one level too many of flow nesting; block nesting shows as indentation. */
function nestingDepth(chunk: string): number | undefined {
  let open = 0;
  for (let at = 0; at < chunk.length; at++) {
    const code = chunk.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) {
      open++;
      if (open > MAX_DEPTH) return at;
    } else if ((code === 0x5d || code === 0x7d) && open > 0) open--;
  }
  return undefined;
}

function spanOfError(pos: readonly [number, number], base: number, lastCharacter: number): Span {
  const start = Math.min(pos[0], lastCharacter);
  return { start: base + start, end: base + Math.max(Math.min(pos[1], lastCharacter + 1), start + 1) };
}

// The parser quotes the offending text in some messages, which may be a private key. The code frame shows it too, and
// knows what to hide.
function reasonOf(code: string, message: string): string {
  switch (code) {
    case 'RESOURCE_EXHAUSTION':
      return 'nested too deeply';
    case 'TAB_AS_INDENT':
      return 'found a tab where blanks must indent';
    case 'TAG_RESOLVE_FAILED':
      return 'the tag cannot be resolved';
    case 'UNEXPECTED_TOKEN':
      return message.replace(/: .*$/s, '');
    default:
      return message;
  }
}

/** Turns the parser's nodes into ours. */
class TreeBuilder {
  private readonly base: number;
  private readonly problems: YamlProblem[];
  private readonly anchors = new Map<string, Built>();
  private expanded = 0;
  private broken = false;

  constructor(base: number, problems: YamlProblem[]) {
    this.base = base;
    this.problems = problems;
  }

  build(node: Node): YamlNode | undefined {
    const { tree } = this.visit(node, 0);
    return this.broken ? undefined : tree;
  }

  private visit(node: Node | null, depth: number): Built {
    if (node === null)
      return { tree: { kind: 'scalar', value: null, literal: false, start: this.base, end: this.base }, size: 1 };
    if (depth > MAX_DEPTH) return this.fail(this.spanOf(node), `nested more than ${MAX_DEPTH} levels deep`);
    if (isAlias(node)) return this.visitAlias(node);
    let built: Built;
    if (isMap(node)) built = this.visitMap(node.items as Pair<Node, Node | null>[], this.spanOf(node), depth);
    else if (isSeq(node)) built = this.visitList(node.items as Node[], this.spanOf(node), depth);
    else if (isScalar(node)) built = { tree: this.visitScalar(node), size: 1 };
    else return this.fail(this.spanOf(node), 'unexpected node');
    if ('anchor' in node && typeof node.anchor === 'string') this.anchors.set(node.anchor, built);
    return built;
  }

  private visitAlias(alias: Alias): Built {
    const target = this.anchors.get(alias.source);
    // An anchor counts once its node is complete, so a node that contains itself ends here too.
    if (target === undefined) return this.fail(this.spanOf(alias), 'unknown anchor referenced');
    this.expanded += target.size;
    if (this.expanded > MAX_EXPANDED_NODES)
      return this.fail(this.spanOf(alias), 'document contains excessive aliasing');
    return target;
  }

  private visitList(items: readonly Node[], span: Span, depth: number): Built {
    const built: YamlNode[] = [];
    let size = 1;
    for (const item of items) {
      const child = this.visit(item, depth + 1);
      built.push(child.tree);
      size += child.size;
    }
    const tree: YamlList = { kind: 'list', items: built, start: span.start, end: span.end };
    return { tree, size };
  }

  private visitMap(pairs: readonly Pair<Node, Node | null>[], span: Span, depth: number): Built {
    const entries: YamlEntry[] = [];
    const merges: YamlNode[] = [];
    const places = new Map<string, number>();
    let size = 1;
    for (const pair of pairs) {
      const value = this.visit(pair.value, depth + 1);
      size += value.size;
      const keySpan = pair.key === null ? span : this.spanOf(pair.key);
      if (isMergeKey(pair.key)) {
        merges.push(value.tree);
        continue;
      }
      const key = this.keyOf(pair.key, keySpan);
      // A key without a value has a null that stands nowhere; it is shown where the key is.
      const tree = pair.value === null ? { ...value.tree, start: keySpan.end, end: keySpan.end } : value.tree;
      const entry: YamlEntry = { key, keySpan, value: tree };
      const earlier = places.get(key);
      if (earlier === undefined) {
        places.set(key, entries.push(entry) - 1);
        continue;
      }
      const first = entries[earlier];
      if (first !== undefined) this.problems.push({ kind: 'duplicate-key', span: keySpan, first: first.keySpan, key });
      entries[earlier] = entry;
    }
    for (const merge of merges) this.merge(merge, entries, places);
    const tree: YamlMap = { kind: 'map', entries, start: span.start, end: span.end };
    return { tree, size };
  }

  /** `<<`: what is written here wins over what is merged in, and of several merged maps the first. */
  private merge(merged: YamlNode, entries: YamlEntry[], places: Map<string, number>): void {
    const maps = merged.kind === 'list' ? merged.items : [merged];
    for (const map of maps) {
      if (map.kind !== 'map') {
        this.fail(map, 'map merge requires map or sequence of maps as the value');
        continue;
      }
      for (const entry of map.entries) {
        if (!places.has(entry.key)) places.set(entry.key, entries.push(entry) - 1);
      }
    }
  }

  private keyOf(key: Node | null, span: Span): string {
    if (key === null) return 'null';
    const node = isAlias(key) ? this.visitAlias(key).tree : isScalar(key) ? this.visitScalar(key) : undefined;
    if (node?.kind !== 'scalar') {
      this.fail(span, 'a map or list cannot be a key');
      return '';
    }
    return String(node.value);
  }

  private visitScalar(node: Scalar): YamlScalar {
    const { start, end } = this.spanOf(node);
    const value = scalarValue(node);
    const literal = node.type === 'BLOCK_LITERAL';
    if (typeof value !== 'boolean') return { kind: 'scalar', value, literal, start, end };
    return { kind: 'scalar', value, literal, start, end, word: node.source ?? '' };
  }

  private spanOf(node: Node): Span {
    const range = node.range;
    return range ? { start: this.base + range[0], end: this.base + range[1] } : { start: this.base, end: this.base };
  }

  private fail(span: Span, reason: string): Built {
    if (!this.broken) this.problems.push({ kind: 'syntax', span: { start: span.start, end: span.end }, reason });
    this.broken = true;
    return { tree: { kind: 'scalar', value: null, literal: false, start: span.start, end: span.end }, size: 1 };
  }
}

interface Built {
  readonly tree: YamlNode;
  /** Nodes in it when every alias is written out. */
  readonly size: number;
}

function isMergeKey(key: Node | null): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<';
}

const CORE_TAG = 'tag:yaml.org,2002:';

function scalarValue(node: Scalar): string | number | boolean | null {
  const text = node.source ?? String(node.value ?? '');
  if (node.tag === undefined) return node.type === 'PLAIN' ? resolvePlain(text) : text;
  if (node.tag === `${CORE_TAG}binary`) return Buffer.from(text, 'base64').toString('latin1');
  // `!!int "5"`: the tag asks for the type that the word would have without quotes.
  const typed = ['int', 'float', 'bool', 'null'].some((name) => node.tag === CORE_TAG + name);
  return typed ? resolvePlain(text) : text;
}
