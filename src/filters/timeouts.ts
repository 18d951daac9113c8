// Which timeout a forwarded request has and what it tells the upstream about it (spec virtualservice.md §10.1, §18.2).
import { parseDuration, type RouteAction } from '../xds/index.js';
import { parseGrpcTimeout } from './grpc.js';
import type { HeaderMap } from './header-map.js';

/** A route's timeouts in milliseconds, 0 = none, compiled once. */
export interface RouteTimeouts {
  readonly route: number;
  readonly perTry: number;
  /** `undefined`: gRPC requests get the route's own timeout, `grpc-timeout` does not count. 0 = uncapped. */
  readonly maxGrpc: number | undefined;
  /** True when the router adds no headers of its own (`suppress_envoy_headers`). */
  readonly silent?: boolean;
}

/** Envoy's own default of a route without a timeout; Istio always sets one. */
const ENVOY_DEFAULT = 15_000;

/** A malformed duration counts as none. */
export function compileTimeouts(action: RouteAction): RouteTimeouts {
  return {
    route: action.timeout === undefined ? ENVOY_DEFAULT : (parseDuration(action.timeout) ?? 0),
    perTry: parseDuration(action.retry_policy?.per_try_timeout ?? '') ?? 0,
    maxGrpc: action.max_grpc_timeout === undefined ? undefined : (parseDuration(action.max_grpc_timeout) ?? 0),
  };
}

/** The global timeout of one request in milliseconds; 0 = none. */
export function requestTimeout(timeouts: RouteTimeouts, isGrpc: boolean, headers: HeaderMap): number {
  if (!isGrpc || timeouts.maxGrpc === undefined) return timeouts.route;
  const asked = parseGrpcTimeout(headers.get('grpc-timeout')) ?? 0;
  const isOverCap = timeouts.maxGrpc !== 0 && (asked === 0 || asked > timeouts.maxGrpc);
  return isOverCap ? timeouts.maxGrpc : asked;
}

/**
 * Writes `x-envoy-expected-rq-timeout-ms` and a gRPC request's `grpc-timeout`. `remaining` is what is left of the global
 * timeout (0 = none): the router calls this again for each attempt, with less.
 */
export function writeExpectedTimeout(
  headers: HeaderMap,
  timeouts: RouteTimeouts,
  isGrpc: boolean,
  remaining: number,
): void {
  const perTry = timeouts.perTry;
  const expected = perTry === 0 ? remaining : remaining === 0 ? perTry : Math.min(perTry, remaining);
  if (expected <= 0) return;
  const milliseconds = String(Math.floor(expected));
  if (timeouts.silent !== true) headers.set('x-envoy-expected-rq-timeout-ms', milliseconds);
  if (isGrpc && timeouts.maxGrpc !== undefined) headers.set('grpc-timeout', `${milliseconds}m`);
}
