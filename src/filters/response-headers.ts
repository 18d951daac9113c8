// What happens to the headers of a response on its way to the client (spec dataplane.md §3.7, virtualservice.md §13,
// §14.4): the route's operations, CORS, `server`, `date`, hop-by-hop headers.
import type { HttpConnectionManager } from '../xds/index.js';
import type { HeaderMap } from './header-map.js';
import type { HeaderOperations } from './header-operations.js';
import { isInlineResponseHeader, joinInlineHeaders } from './inline-headers.js';
import type { StreamState } from './operators.js';
import type { RequestHead } from './request-head.js';

/** What a decision wants done to the response once it is there. */
export interface ResponseRules {
  /** Values of `set-cookie`, on upstream responses only. */
  readonly setCookies: readonly string[];
  /** Headers of the CORS filter, written behind the operations over whatever is there. */
  readonly cors: readonly (readonly [name: string, value: string])[];
  /** Blocks of header operations in the order in which they apply: destination, then route. Opaque to the data plane. */
  readonly operations: readonly HeaderOperations[];
  /** For operators in values: name of the route and of the cluster, '' = none. */
  readonly routeName: string;
  readonly cluster: string;
  /** `suppress_envoy_headers` of the router: neither service time nor `x-envoy-overloaded` is added. */
  readonly silent: boolean;
}

/** Before a route is found there is nothing to apply. */
export const NO_RESPONSE_RULES: ResponseRules = {
  setCookies: [],
  cors: [],
  operations: [],
  routeName: '',
  cluster: '',
  silent: false,
};

/** What the changes to a response depend on. */
export interface UpstreamResponseContext {
  readonly request: RequestHead;
  readonly rules: ResponseRules;
  /** `responseCode` is the status here; flags and details as far as known ('via_upstream'). */
  readonly state: StreamState;
  /** Whole milliseconds for `x-envoy-upstream-service-time`; `undefined` = not written (incomplete request, upgrade). */
  readonly serviceTime: number | undefined;
  readonly date: string;
  readonly manager: Pick<HttpConnectionManager, 'server_name' | 'server_header_transformation'>;
  /** Writes `connection: close` (HTTP/1). */
  readonly close: boolean;
  /** Answer to an upgrade: its `upgrade` and `connection` stay when the status is 101. */
  readonly isUpgrade: boolean;
}

const REMOVED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'x-envoy-decorator-operation',
]);
/** An upgrade that the upstream takes keeps what says so. */
const REMOVED_FROM_SWITCH: ReadonlySet<string> = new Set(
  [...REMOVED].filter((name) => name !== 'connection' && name !== 'upgrade'),
);

/**
 * Changes the headers of an upstream's response into those that the client gets. Names are lower case already; framing
 * (`transfer-encoding: chunked`) is the codec's and comes last.
 */
export function applyResponseRules(headers: HeaderMap, status: number, context: UpstreamResponseContext): void {
  joinInlineHeaders(headers, isInlineResponseHeader);
  const isSwitch = status === 101 && context.isUpgrade;
  headers.removeAll(isSwitch ? REMOVED_FROM_SWITCH : REMOVED);
  if (context.serviceTime !== undefined && !context.rules.silent) {
    headers.set('x-envoy-upstream-service-time', String(context.serviceTime));
  }
  for (const cookie of context.rules.setCookies) headers.append('set-cookie', cookie);
  applyRouteOperations(headers, status, context.rules, context.request, context.state);
  for (const [name, value] of context.rules.cors) headers.set(name, value);
  finishResponseHeaders(headers, context.date, context.manager, context.close);
}

/** The operations of destination and route, in this order. */
export function applyRouteOperations(
  headers: HeaderMap,
  status: number,
  rules: ResponseRules,
  request: RequestHead,
  state: StreamState,
): void {
  if (rules.operations.length === 0) return;
  const facts = { request, response: { status, headers }, state, routeName: rules.routeName, cluster: rules.cluster };
  for (const block of rules.operations) block.apply(headers, facts, isInlineResponseHeader);
}

/** `date` if there is none, `server` as configured, `connection: close`. */
export function finishResponseHeaders(
  headers: HeaderMap,
  date: string,
  manager: Pick<HttpConnectionManager, 'server_name' | 'server_header_transformation'>,
  close: boolean,
): void {
  if (!headers.has('date')) headers.append('date', date);
  const transformation = manager.server_header_transformation ?? 'OVERWRITE';
  const name = manager.server_name || 'envoy';
  if (transformation === 'OVERWRITE') headers.set('server', name);
  else if (transformation === 'APPEND_IF_ABSENT' && !headers.has('server')) headers.append('server', name);
  if (close) headers.set('connection', 'close');
}
