// Delegation: the `http` entries of a root VirtualService that name another one are replaced by the merge of its entries.
// Spec virtualservice.md §15. Source: istio/istio pilot/pkg/model/virtualservice.go (mergeVirtualServices,
// MergeHTTPRoutes, mergeHTTPMatchRequests, hasConflict, stringMatchConflict).
import type { StringMatch } from '../config/model/common.js';
import type { Resource } from '../config/model/resource.js';
import type { HttpMatchRequest, HttpRoute } from '../config/model/virtual-service.js';

/** One `http` entry after delegation, and where it was written (of a merged one: the delegate's entry). */
export interface BoundHttpRoute {
  readonly route: HttpRoute;
  readonly from: Resource<'VirtualService'>;
  /** Index in `from.spec.http`. */
  readonly index: number;
}

/** A VirtualService with the names in its `http` entries already resolved in its own namespace. */
export interface ResolvedHttp {
  readonly resource: Resource<'VirtualService'>;
  /** By the indexes of `resource.spec.http`. */
  readonly http: readonly HttpRoute[];
  readonly exportTo: readonly string[];
}

/** A delegation that gives nothing, or less than it says (spec §15 items 1, 2, 4). */
export interface DelegateProblem {
  readonly kind: 'notFound' | 'notVisible' | 'conflict';
  readonly root: Resource<'VirtualService'>;
  /** Index in `root.spec.http`. */
  readonly index: number;
  /** `ns/name` */
  readonly delegate: string;
  /** 'conflict': the delegate and the index in its `http`. */
  readonly at?: { readonly resource: Resource<'VirtualService'>; readonly index: number };
}

/** Finds a delegate by namespace and name. */
export interface DelegateLookup {
  /** A VirtualService without hosts. */
  readonly find: (namespace: string, name: string) => ResolvedHttp | undefined;
  readonly problem: (problem: DelegateProblem) => void;
}

/** The `http` entries of `root`, with those that delegate replaced; one level only. */
export function mergeDelegates(root: ResolvedHttp, lookup: DelegateLookup): readonly BoundHttpRoute[] {
  const { namespace: rootNamespace } = root.resource.metadata;
  return root.http.flatMap((route, index): readonly BoundHttpRoute[] => {
    const { delegate } = route;
    if (delegate === undefined) return [{ route, from: root.resource, index }];
    const written = delegate.namespace ?? '';
    const namespace = written === '' ? rootNamespace : written;
    const problem = { root: root.resource, index, delegate: `${namespace}/${delegate.name}` };
    const target = lookup.find(namespace, delegate.name);
    if (target === undefined) {
      lookup.problem({ kind: 'notFound', ...problem });
      return [];
    }
    if (!target.exportTo.includes('*') && !target.exportTo.includes(rootNamespace)) {
      lookup.problem({ kind: 'notVisible', ...problem });
      return [];
    }
    return target.http.flatMap((given, delegateIndex): readonly BoundHttpRoute[] => {
      const merged = mergeRoute(route, given);
      if (merged !== undefined) return [{ route: merged, from: target.resource, index: delegateIndex }];
      lookup.problem({ kind: 'conflict', ...problem, at: { resource: target.resource, index: delegateIndex } });
      return [];
    });
  });
}

function mergeRoute(root: HttpRoute, given: HttpRoute): HttpRoute | undefined {
  const match = mergeMatches(root.match, given.match);
  if (match === undefined) return undefined;
  const name = joinNames(root.name, given.name);
  const { name: _name, delegate: _delegate, ...own } = given;
  return {
    ...inherited(root),
    ...own,
    match,
    mirrors: given.mirrors.length > 0 ? given.mirrors : root.mirrors,
    ...(name === '' ? {} : { name }),
  };
}

const INHERITED = [
  'rewrite',
  'directResponse',
  'timeout',
  'retries',
  'fault',
  'mirror',
  'mirrorPercent',
  'mirrorPercentage',
  'corsPolicy',
  'headers',
] as const satisfies readonly (keyof HttpRoute)[];

// What the delegate takes from the root where it has none itself; redirect and route are never the root's (item 4).
function inherited(root: HttpRoute): Partial<HttpRoute> {
  const fields: Record<string, unknown> = {};
  for (const field of INHERITED) if (root[field] !== undefined) fields[field] = root[field];
  return fields;
}

function joinNames(root: string | undefined, own: string | undefined): string {
  if (root === undefined || root === '') return own ?? '';
  return own === undefined || own === '' ? root : `${root}-${own}`;
}

/** Every match of the delegate with every match of the root that it fits; `undefined` when one of them fits none. */
function mergeMatches(
  root: readonly HttpMatchRequest[],
  own: readonly HttpMatchRequest[],
): readonly HttpMatchRequest[] | undefined {
  if (root.length === 0) return own;
  if (own.length === 0) return root;
  const merged: HttpMatchRequest[] = [];
  for (const match of own) {
    const before = merged.length;
    for (const outer of root) if (!hasConflict(outer, match)) merged.push(mergeMatch(outer, match));
    if (merged.length === before) return undefined;
  }
  return merged;
}

function mergeMatch(root: HttpMatchRequest, own: HttpMatchRequest): HttpMatchRequest {
  const name = joinNames(root.name, own.name);
  const uri = own.uri ?? root.uri;
  const scheme = own.scheme ?? root.scheme;
  const method = own.method ?? root.method;
  const authority = own.authority ?? root.authority;
  const port = (own.port ?? 0) === 0 ? root.port : own.port;
  const sourceNamespace = (own.sourceNamespace ?? '') === '' ? root.sourceNamespace : own.sourceNamespace;
  const statPrefix = (own.statPrefix ?? '') === '' ? root.statPrefix : own.statPrefix;
  return {
    ...(name === '' ? {} : { name }),
    ...(uri === undefined ? {} : { uri }),
    ignoreUriCase: own.ignoreUriCase,
    ...(scheme === undefined ? {} : { scheme }),
    ...(method === undefined ? {} : { method }),
    ...(authority === undefined ? {} : { authority }),
    headers: { ...root.headers, ...own.headers },
    withoutHeaders: { ...root.withoutHeaders, ...own.withoutHeaders },
    queryParams: { ...root.queryParams, ...own.queryParams },
    ...(port === undefined ? {} : { port }),
    gateways: own.gateways.length === 0 ? root.gateways : own.gateways,
    sourceLabels: { ...root.sourceLabels, ...own.sourceLabels },
    ...(sourceNamespace === undefined ? {} : { sourceNamespace }),
    ...(statPrefix === undefined ? {} : { statPrefix }),
  };
}

function hasConflict(root: HttpMatchRequest, own: HttpMatchRequest): boolean {
  return (
    stringMatchConflict(root.uri, own.uri) ||
    stringMatchConflict(root.scheme, own.scheme) ||
    stringMatchConflict(root.method, own.method) ||
    stringMatchConflict(root.authority, own.authority) ||
    mapConflict(root.headers, own.headers) ||
    mapConflict(root.withoutHeaders, own.withoutHeaders) ||
    mapConflict(root.queryParams, own.queryParams) ||
    root.ignoreUriCase !== own.ignoreUriCase ||
    portConflict(root.port ?? 0, own.port ?? 0) ||
    ((root.sourceNamespace ?? '') !== '' && root.sourceNamespace !== own.sourceNamespace) ||
    labelConflict(root.sourceLabels, own.sourceLabels) ||
    gatewayConflict(root.gateways, own.gateways)
  );
}

function mapConflict(root: Readonly<Record<string, StringMatch>>, own: Readonly<Record<string, StringMatch>>): boolean {
  return Object.keys(own).some((key) => Object.hasOwn(root, key) && stringMatchConflict(root[key], own[key]));
}

function portConflict(root: number, own: number): boolean {
  return root !== 0 && own !== 0 && root !== own;
}

function labelConflict(root: Readonly<Record<string, string>>, own: Readonly<Record<string, string>>): boolean {
  return Object.keys(own).some((key) => Object.hasOwn(root, key) && root[key] !== own[key]);
}

function gatewayConflict(root: readonly string[], own: readonly string[]): boolean {
  if (root.length === 0 || own.length === 0) return false;
  return own.length > root.length || own.some((gateway) => !root.includes(gateway));
}

// The table of spec §15 item 5. As in Istio an empty text counts as "no member".
function stringMatchConflict(root: StringMatch | undefined, own: StringMatch | undefined): boolean {
  if (root === undefined || own === undefined) return false;
  const outer = { exact: root.exact ?? '', prefix: root.prefix ?? '', regex: root.regex ?? '' };
  const inner = { exact: own.exact ?? '', prefix: own.prefix ?? '', regex: own.regex ?? '' };
  if (outer.regex !== '' || inner.regex !== '') return true;
  if (outer.exact !== '') return inner.prefix !== '' || inner.exact !== outer.exact;
  if (outer.prefix === '') return true;
  if (inner.prefix !== '') return !inner.prefix.startsWith(outer.prefix);
  return inner.exact === '' || !inner.exact.startsWith(outer.prefix);
}
