// Names under which a gateway asks for certificates and CAs. Nobody else builds one of these strings. Spec gateway.md
// §8.1; destinations.md §7.1.
import { type SdsSecretConfig, SYSTEM_ROOTS } from '../xds/index.js';

/** The workload's own certificate. */
export const WORKLOAD_CERTIFICATE = 'default';
/** The root of the mesh. */
export const MESH_ROOT = 'ROOTCA';
/** Ends the name of the Secret, and of the SDS resource, that holds the CA beside a certificate. */
export const CA_SUFFIX = '-cacert';

/**
 * A `credentialName` as an SDS resource name (spec gateway.md §8.1).
 *
 *     credentialResourceName('web-cert'); // 'kubernetes://web-cert'
 */
export function credentialResourceName(credentialName: string): string {
  if (credentialName.startsWith('builtin://')) return WORKLOAD_CERTIFICATE;
  // The rest of the name is lost: `invalid://x` and `invalid://y` are one resource that never comes.
  if (credentialName.startsWith('invalid://')) return 'invalid://';
  for (const scheme of ['kubernetes://', 'kubernetes-gateway://', 'configmap://'])
    if (credentialName.startsWith(scheme)) return credentialName;
  // No gateway pod has a socket of an external SDS server here, so Istio falls back to the Secret of that name.
  if (credentialName.startsWith('sds://')) return `kubernetes://${credentialName.slice('sds://'.length)}`;
  return `kubernetes://${credentialName}`;
}

/** Both paths are written as in the Gateway or DestinationRule. */
export function fileCertificateName(certificatePath: string, privateKeyPath: string): string {
  return `file-cert:${certificatePath}~${privateKeyPath}`;
}

/** No path means the operating system's trust store. */
export function fileRootName(path: string): string {
  return path === '' ? SYSTEM_ROOTS : `file-root:${path}`;
}

/** The mesh's own: it comes from the workload certificate or not at all. */
export function isWorkloadName(name: string): boolean {
  return name === WORKLOAD_CERTIFICATE || name === MESH_ROOT;
}

/** The agent in the pod answers for it (workload certificate and files), not istiod. */
export function isLocalName(name: string): boolean {
  return isWorkloadName(name) || name.startsWith('file-');
}

/** Says who answers: `ads` is istiod, `sds-grpc` the agent in the pod. */
export function sdsConfig(name: string): SdsSecretConfig {
  return { name, sds_config: isLocalName(name) ? 'sds-grpc' : 'ads' };
}
