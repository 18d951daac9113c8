// What PeerAuthentication says of the mutual TLS of a namespace and of one workload port. Spec destinations.md §7.6, §11
// step 6. Source: istio/istio pilot/pkg/model/authentication.go, pilot/pkg/security/authn/policy_applier.go.
import type { Labels } from '../config/model/common.js';
import { labelsMatch } from '../config/model/labels.js';
import type { PeerAuthenticationMode } from '../config/model/peer-authentication.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';

/** The mode after inheritance. */
export type MutualTlsMode = Exclude<PeerAuthenticationMode, 'UNSET'>;

/** Modes of workloads by namespace, labels and port. */
export interface PeerAuthentications {
  /** Of the namespace, else of the mesh, else PERMISSIVE. */
  ofNamespace(namespace: string): MutualTlsMode;
  /** Of a workload's port: its own policy first. */
  ofPort(namespace: string, labels: Labels, port: number): MutualTlsMode;
}

/** Of two policies for one scope the older one counts. */
export function indexPeerAuthentications(store: Store): PeerAuthentications {
  const rootNamespace = store.mesh.rootNamespace ?? 'istio-system';
  const wide = new Map<string, Resource<'PeerAuthentication'>>();
  const selective = new Map<string, Resource<'PeerAuthentication'>[]>();
  for (const policy of store.all('PeerAuthentication')) {
    const { namespace } = policy.metadata;
    if (Object.keys(policy.spec.selector ?? {}).length === 0) {
      // The oldest of a namespace counts.
      if (!wide.has(namespace)) wide.set(namespace, policy);
    } else selective.set(namespace, [...(selective.get(namespace) ?? []), policy]);
  }
  const ofNamespace = (namespace: string): MutualTlsMode =>
    written(wide.get(namespace)?.spec.mtls) ?? written(wide.get(rootNamespace)?.spec.mtls) ?? 'PERMISSIVE';
  return {
    ofNamespace,
    ofPort: (namespace, labels, port): MutualTlsMode => {
      const policy = selective.get(namespace)?.find((candidate) => labelsMatch(candidate.spec.selector ?? {}, labels));
      return written(policy?.spec.portLevelMtls[port]) ?? written(policy?.spec.mtls) ?? ofNamespace(namespace);
    },
  };
}

function written(mode: PeerAuthenticationMode | undefined): MutualTlsMode | undefined {
  return mode === undefined || mode === 'UNSET' ? undefined : mode;
}
