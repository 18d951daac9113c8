// Which filter chain a connection gets.
import type { FilterChain, ResponseFlag } from '../xds/index.js';

/** A chain, or a close with what the log says of it. */
export type ConnectionDecision =
  | { readonly kind: 'chain'; readonly chain: FilterChain }
  /** No chain fits: the socket is reset without a byte (spec gateway.md §6.3). */
  | { readonly kind: 'close'; readonly flag: ResponseFlag; readonly details: string };
