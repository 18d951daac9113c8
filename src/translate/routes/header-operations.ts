// `headers` blocks as Envoy's header operations. Spec virtualservice.md §14.1. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (TranslateHeadersOperations, translateAppendHeaders, dropInternal).

import type { HeaderOperations, Headers } from '../../config/model/common.js';
import { compareText } from '../../config/text-order.js';
import type { HeaderValueOption } from '../../xds/index.js';

/** The four lists, as a Route or a ClusterWeight has them; absent when empty. */
export interface TranslatedHeaders {
  readonly request_headers_to_add?: readonly HeaderValueOption[];
  readonly request_headers_to_remove?: readonly string[];
  readonly response_headers_to_add?: readonly HeaderValueOption[];
  readonly response_headers_to_remove?: readonly string[];
}

/** Lists of several blocks (route first, then its single destination) as one block (§14.2). */
export function headerOperations(...blocks: readonly (Headers | undefined)[]): TranslatedHeaders {
  const lists = {
    request_headers_to_add: blocks.flatMap((block) => additions(block?.request)),
    request_headers_to_remove: blocks.flatMap((block) => removals(block?.request)),
    response_headers_to_add: blocks.flatMap((block) => additions(block?.response)),
    response_headers_to_remove: blocks.flatMap((block) => removals(block?.response)),
  };
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

/** The Host that a block's request operations set, or '' (§9.5): `set` before `add`, and of several the last. */
export function authorityOf(headers: Headers | undefined): string {
  const request = headers?.request;
  if (request === undefined) return '';
  return lastAuthority(request.set) || lastAuthority(request.add);
}

function lastAuthority(entries: HeaderOperations['set']): string {
  let authority = '';
  for (const [name, value] of entries) if (isAuthority(name)) authority = value;
  return authority;
}

function additions(operations: HeaderOperations | undefined): readonly HeaderValueOption[] {
  if (operations === undefined) return [];
  const set = sortedHeaders(operations.set).map(
    ([key, value]): HeaderValueOption => ({
      header: headerValue(key, value),
      append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
    }),
  );
  const add = sortedHeaders(operations.add).map(
    ([key, value]): HeaderValueOption => ({ header: headerValue(key, value) }),
  );
  return [...set, ...add];
}

function headerValue(key: string, value: string): HeaderValueOption['header'] {
  return value === '' ? { key } : { key, value };
}

function sortedHeaders(entries: HeaderOperations['set']): HeaderOperations['set'] {
  return entries.filter(([name]) => !isInternal(name)).sort(([a], [b]) => compareText(a, b));
}

function removals(operations: HeaderOperations | undefined): readonly string[] {
  return operations === undefined ? [] : operations.remove.filter((name) => !isInternal(name));
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}

function isInternal(name: string): boolean {
  return name.startsWith(':') || name.toLowerCase() === 'host';
}
