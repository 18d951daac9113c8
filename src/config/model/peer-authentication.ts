// security.istio.io PeerAuthentication. On a gateway it decides which AUTO_PASSTHROUGH endpoints count as mTLS and
// whether auto mTLS is used (spec gateway.md §11, destinations.md §7).
import type { Labels } from './common.js';

export type PeerAuthenticationMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT';

export interface PeerAuthenticationSpec {
  readonly selector?: Labels;
  readonly mtls?: PeerAuthenticationMode;
  /** By workload port. */
  readonly portLevelMtls: Readonly<Record<number, PeerAuthenticationMode>>;
}
