// From the name that Envoy asks for to the material that istiod, or the agent in the pod, would answer with: Secrets,
// ConfigMaps, files and the workload's own certificate. Spec gateway.md §8.1-8.5, §8.7.
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import type { GatewayProxy, PushContextOptions, ResolvedCredential } from './push-context.js';

const CA_SUFFIX = '-cacert';
const INVISIBLE_TYPES: ReadonlySet<string> = new Set(['helm.sh/release.v1', 'kubernetes.io/service-account-token']);
/** Where distributions keep the roots that `file-root:system` stands for. */
const SYSTEM_ROOTS = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
] as const;

/**
 * A lookup by SDS name, for this gateway workload.
 *
 *     const credential = createSecretStore(store, proxy, options);
 *     credential('kubernetes://web-cert');        // { kind: 'certificate', certificateChain: '-----BEGIN …', … }
 *     credential('kubernetes://web-cert-cacert'); // { kind: 'ca', … }
 *     credential('kubernetes://nope');            // { kind: 'missing', reason: 'failed to fetch key and certificate …' }
 *
 * `reason` is the whole line that istiod logs. Material is not looked into: Envoy judges it (translate/secrets.ts).
 */
export function createSecretStore(
  store: Store,
  proxy: GatewayProxy,
  options: PushContextOptions = {},
): (sdsName: string) => ResolvedCredential {
  const resolver = new CredentialResolver(store, proxy, options);
  const known = new Map<string, ResolvedCredential>();
  return (sdsName) => {
    let credential = known.get(sdsName);
    if (credential === undefined) {
      credential = resolver.resolve(sdsName);
      known.set(sdsName, credential);
    }
    return credential;
  };
}

interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

class CredentialResolver {
  private readonly store: Store;
  private readonly proxy: GatewayProxy;
  private readonly options: PushContextOptions;

  constructor(store: Store, proxy: GatewayProxy, options: PushContextOptions) {
    this.store = store;
    this.proxy = proxy;
    this.options = options;
  }

  resolve(sdsName: string): ResolvedCredential {
    if (sdsName === 'default' || sdsName === 'ROOTCA') return this.workload(sdsName);
    if (sdsName.startsWith('file-')) return this.file(sdsName);
    const separator = sdsName.indexOf('://');
    const scheme = separator === -1 ? '' : sdsName.slice(0, separator);
    const name = parseSecretName(scheme, sdsName.slice(separator + '://'.length), this.proxy.namespace);
    if (name === undefined) {
      return missing(
        scheme === 'kubernetes-gateway' || scheme === 'configmap'
          ? `error parsing resource name: invalid resource name "${sdsName}". Expected namespace and name`
          : `error parsing resource name: unknown resource type: ${scheme === '' ? sdsName : scheme}`,
      );
    }
    if (scheme === 'configmap') return this.configMap(sdsName, name);
    if (!this.isAuthorized(scheme, sdsName, name)) {
      return missing(
        `attempted to access unauthorized certificates ${sdsName}: cross namespace secret reference requires ReferenceGrant`,
      );
    }
    return name.name.endsWith(CA_SUFFIX) ? this.ca(sdsName, name) : this.certificate(sdsName, name);
  }

  /** Spec gateway.md §8.2. Only the namespace of the gateway pod counts, never that of a Gateway that names the Secret. */
  private isAuthorized(scheme: string, sdsName: string, name: SecretName): boolean {
    const own = this.proxy.namespace;
    if (name.namespace !== own) return false;
    if (scheme === 'kubernetes') return true;
    // The Gateway API's scheme: the resource that refers to the Secret must live here too.
    return this.store.all('Gateway').some(
      (gateway) =>
        gateway.metadata.namespace === own &&
        gateway.spec.servers.some((server) => {
          const tls = server.tls;
          if (tls === undefined || !('certificates' in tls) || tls.certificates.kind !== 'credential') return false;
          const { names, caCertCredentialName } = tls.certificates;
          return caCertCredentialName === sdsName || names.some((written) => refersTo(written, sdsName));
        }),
    );
  }

  private secret(name: SecretName): Resource<'Secret'> | undefined {
    const secret = this.store.get('Secret', name.namespace, name.name);
    return secret === undefined || INVISIBLE_TYPES.has(secret.spec.type ?? '') ? undefined : secret;
  }

  private certificate(sdsName: string, name: SecretName): ResolvedCredential {
    const secret = this.secret(name);
    const failure = `failed to fetch key and certificate for ${sdsName}: `;
    if (secret === undefined) return missing(`${failure}secret ${name.namespace}/${name.name} not found`);
    const data = secret.spec.data;
    for (const [certificateKey, privateKeyKey] of CERTIFICATE_PAIRS) {
      const certificateChain = data[certificateKey] ?? '';
      const privateKey = data[privateKeyKey] ?? '';
      if (certificateChain === '' || privateKey === '') continue;
      const staple = certificateKey === 'tls.crt' ? (data['tls.ocsp-staple'] ?? '') : '';
      return {
        kind: 'certificate',
        certificateChain,
        privateKey,
        ...(staple === '' ? {} : { ocspStaple: staple }),
        from: secret,
      };
    }
    for (const [certificateKey, privateKeyKey] of CERTIFICATE_PAIRS)
      if (certificateKey in data && privateKeyKey in data)
        return missing(`${failure}found keys "${certificateKey}" and "${privateKeyKey}", but they were empty`);
    return missing(
      `${failure}found secret, but didn't have expected keys (cert and key) or (tls.crt and tls.key); found: ${foundKeys(data)}`,
    );
  }

  /** Spec gateway.md §8.3: a Secret of that very name decides alone, even when it is empty. */
  private ca(sdsName: string, name: SecretName): ResolvedCredential {
    const bare = name.name.slice(0, -CA_SUFFIX.length);
    const secret = this.secret(name) ?? this.secret({ namespace: name.namespace, name: bare });
    const failure = `failed to fetch ca certificate for ${sdsName}: `;
    if (secret === undefined) return missing(`${failure}secret ${name.namespace}/${bare} not found`);
    return extractCa(secret, failure);
  }

  /** Public information, so any namespace may be named. */
  private configMap(sdsName: string, name: SecretName): ResolvedCredential {
    const configMap = this.store.get('ConfigMap', name.namespace, name.name);
    const failure = `failed to fetch ca certificate for ${sdsName}: `;
    if (configMap === undefined) return missing(`${failure}configmap ${name.namespace}/${name.name} not found`);
    return extractCa(configMap, failure);
  }

  private workload(sdsName: 'default' | 'ROOTCA'): ResolvedCredential {
    const own = this.options.workloadCertificates;
    if (own === undefined) return missing(`failed to fetch ${sdsName}: the gateway has no workload certificate`);
    return sdsName === 'default'
      ? {
          kind: 'certificate',
          certificateChain: own.certificateChain,
          privateKey: own.privateKey,
          from: undefined,
        }
      : { kind: 'ca', trustedCa: own.root, crl: undefined, from: undefined };
  }

  private file(sdsName: string): ResolvedCredential {
    const colon = sdsName.indexOf(':');
    const kind = sdsName.slice(0, colon);
    const path = sdsName.slice(colon + 1);
    switch (kind) {
      case 'file-cert': {
        const [certificatePath = '', privateKeyPath = ''] = path.split('~');
        const certificateChain = this.read(certificatePath);
        if (certificateChain === undefined) return missing(fileFailure(sdsName, certificatePath));
        const privateKey = this.read(privateKeyPath);
        if (privateKey === undefined) return missing(fileFailure(sdsName, privateKeyPath));
        return { kind: 'certificate', certificateChain, privateKey, from: undefined };
      }
      case 'file-root': {
        const trustedCa = path === 'system' ? this.systemRoots() : this.read(path);
        if (trustedCa === undefined) return missing(fileFailure(sdsName, path));
        return { kind: 'ca', trustedCa, crl: undefined, from: undefined };
      }
      case 'file-crl': {
        const crl = this.read(path);
        return crl === undefined
          ? missing(fileFailure(sdsName, path))
          : { kind: 'ca', trustedCa: '', crl, from: undefined };
      }
      default:
        return missing(`error parsing resource name: unknown resource type: ${kind}`);
    }
  }

  /** '' where no bundle can be read: whoever verifies uses the roots that it has built in. */
  private systemRoots(): string {
    for (const path of SYSTEM_ROOTS) {
      const bundle = this.read(path);
      if (bundle !== undefined) return bundle;
    }
    return '';
  }

  private read(path: string): string | undefined {
    return path === '' ? undefined : this.options.readFile?.(path);
  }
}

const CERTIFICATE_PAIRS = [
  ['cert', 'key'],
  ['tls.crt', 'tls.key'],
] as const;

/** A CA and the key that its revocation list has in the same object. */
const CA_KEYS = [
  ['cacert', 'crl'],
  ['ca.crt', 'ca.crl'],
] as const;

function extractCa(from: Resource<'Secret'> | Resource<'ConfigMap'>, failure: string): ResolvedCredential {
  const data = from.spec.data;
  for (const [caKey, crlKey] of CA_KEYS) {
    const trustedCa = data[caKey] ?? '';
    if (trustedCa === '') continue;
    const crl = data[crlKey] ?? '';
    return { kind: 'ca', trustedCa, crl: crl === '' ? undefined : crl, from };
  }
  for (const [caKey] of CA_KEYS) if (caKey in data) return missing(`${failure}found key "${caKey}", but it was empty`);
  return missing(`${failure}found secret, but didn't have expected keys cacert or ca.crt; found: ${foundKeys(data)}`);
}

function parseSecretName(scheme: string, rest: string, ownNamespace: string): SecretName | undefined {
  const parts = rest.split('/');
  const [first = '', second] = parts;
  switch (scheme) {
    case 'kubernetes':
      return second === undefined ? { namespace: ownNamespace, name: first } : { namespace: first, name: second };
    case 'kubernetes-gateway':
    case 'configmap':
      return second === undefined || first === '' || second === '' ? undefined : { namespace: first, name: second };
    default:
      return undefined;
  }
}

/** The written name, or the CA that Istio derives from it. */
function refersTo(written: string, sdsName: string): boolean {
  return written === sdsName || `${written}${CA_SUFFIX}` === sdsName;
}

/** As istiod lists them; from three keys on it counts the rest, even when there is none. */
function foundKeys(data: Readonly<Record<string, string>>): string {
  const keys = Object.keys(data).sort();
  if (keys.length < 3) return keys.join(', ');
  return `${keys.slice(0, 3).join(', ')}, and ${keys.length - 3} more...`;
}

function fileFailure(sdsName: string, path: string): string {
  return `failed to fetch ${sdsName}: open ${path}: no such file or directory`;
}

function missing(reason: string): ResolvedCredential {
  return { kind: 'missing', reason };
}
