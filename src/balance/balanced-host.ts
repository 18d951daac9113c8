// What load balancing needs to know of a run-time host; `Host` of the data plane has more.
import type { Endpoint } from '../xds/index.js';

/** What balancing needs to know of a host. */
export interface BalancedHost {
  readonly endpoint: Endpoint;
  /** `ip:port` as configured; ring and table are built from it. */
  readonly address: string;
  /** Read at every choice of LEAST_REQUEST. */
  readonly activeRequests: number;
  /** Read when `hostsChanged` is called. */
  readonly ejected: boolean;
}

/** Usable outside panic: healthy by EDS and not ejected. */
export function isHealthy(host: BalancedHost): boolean {
  return host.endpoint.health === 'HEALTHY' && !host.ejected;
}

/** Zero is not a weight that Envoy accepts; it would send one. */
export function weightOf(host: BalancedHost): number {
  return Math.max(1, host.endpoint.weight);
}
