// The connection manager's time limits (spec dataplane.md §3.10), read once from its configuration.
import { type HttpConnectionManager, parseDuration } from '../../xds/index.js';

/** Milliseconds; 0 = no limit. */
export interface ManagerTimeouts {
  /** A connection without streams. */
  readonly connectionIdle: number;
  /** From the head of a request to its last byte. */
  readonly request: number;
  /** Nothing in either direction of a stream. */
  readonly streamIdle: number;
}

/** Envoy's default: a connection without streams is closed after an hour. */
const CONNECTION_IDLE = 3_600_000;

/** Configurations are part of an immutable snapshot, so each is read once however many connections and streams ask. */
const known = new WeakMap<HttpConnectionManager, ManagerTimeouts>();

/** Envoy's defaults where Istio writes nothing: an hour for idle connections, none for the others. */
export function timeoutsOf(manager: HttpConnectionManager): ManagerTimeouts {
  let timeouts = known.get(manager);
  if (timeouts === undefined) {
    timeouts = {
      connectionIdle: parseDuration(manager.common_http_protocol_options?.idle_timeout ?? '') ?? CONNECTION_IDLE,
      request: parseDuration(manager.request_timeout ?? '') ?? 0,
      streamIdle: parseDuration(manager.stream_idle_timeout ?? '') ?? 0,
    };
    known.set(manager, timeouts);
  }
  return timeouts;
}
