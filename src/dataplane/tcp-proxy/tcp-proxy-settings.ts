// What a TCP proxy's configuration means at run time, read once per configuration and not per connection.
import { parseDuration, type TcpProxy } from '../../xds/index.js';
import { type Counter, counter } from '../telemetry/stats.js';

export interface TcpProxySettings {
  /** Milliseconds without a byte in either direction; 0 = no limit. */
  readonly idleTimeout: number;
  /** Milliseconds from the client's connect; 0 = no limit. */
  readonly maxDuration: number;
  /** The hash policy asks for the client's address. */
  readonly hashesSource: boolean;
  /** `tcp.<stat prefix>.downstream_cx_total`, `.idle_timeout`, `.max_downstream_connection_duration` (spec dataplane.md §6.4). */
  readonly connections: Counter;
  readonly idleTimeouts: Counter;
  readonly maxDurations: Counter;
}

/** Envoy's default for a TCP proxy (spec dataplane.md §6.1). */
const DEFAULT_IDLE_TIMEOUT = 3_600_000;

/** Configurations are part of an immutable snapshot. */
const known = new WeakMap<TcpProxy, TcpProxySettings>();

export function settingsOf(config: TcpProxy): TcpProxySettings {
  let settings = known.get(config);
  if (settings === undefined) {
    const prefix = `tcp.${config.stat_prefix ?? config.cluster ?? ''}`;
    settings = {
      idleTimeout: parseDuration(config.idle_timeout ?? '') ?? DEFAULT_IDLE_TIMEOUT,
      maxDuration: parseDuration(config.max_downstream_connection_duration ?? '') ?? 0,
      hashesSource: config.hash_policy?.some(({ source_ip }) => source_ip !== undefined) === true,
      connections: counter(`${prefix}.downstream_cx_total`),
      idleTimeouts: counter(`${prefix}.idle_timeout`),
      maxDurations: counter(`${prefix}.max_downstream_connection_duration`),
    };
    known.set(config, settings);
  }
  return settings;
}
