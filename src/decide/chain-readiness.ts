// Whether a chain that ends TLS has what it needs: Envoy selects a chain without its secrets like any other, but then
// closes the connection. Spec gateway.md §7.7, §8.6.
import {
  CERTIFICATE_HASH,
  type CommonTlsContext,
  CRL_FILE_PREFIX,
  type FilterChain,
  type Secret,
  type Snapshot,
  SPKI_HASH,
} from '../xds/index.js';

/** `notReady` is Envoy's "Secret is not supplied by SDS". */
export type ChainReadiness = 'ready' | 'notReady';

/**
 * A chain needs one of its certificates and, where client certificates are verified, the CA. `notReady`: every
 * connection to it is reset right after the ClientHello, without an alert and without a log line.
 */
export function chainReadiness(chain: FilterChain, secrets: Readonly<Record<string, Secret>>): ChainReadiness {
  const context = chain.transport_socket?.typed_config.common_tls_context;
  if (context === undefined) return 'ready';
  return hasCertificate(context, secrets) && hasValidation(context, secrets) ? 'ready' : 'notReady';
}

/**
 * True when istiod has not one of the Secrets that the gateway asks it for. A fresh Envoy then waits for all of them
 * and opens no port, not even a plaintext one, until its initial fetch times out (15 s).
 */
export function noSecretArrives(snapshot: Snapshot): boolean {
  const asked = new Set<string>();
  for (const { listener } of snapshot.listeners)
    for (const chain of listener?.filter_chains ?? [])
      for (const name of istiodSecretsOf(chain.transport_socket?.typed_config.common_tls_context)) asked.add(name);
  return asked.size > 0 && [...asked].every((name) => snapshot.secrets[name] === undefined);
}

function istiodSecretsOf(context: CommonTlsContext | undefined): readonly string[] {
  if (context === undefined) return [];
  const configs = [...(context.tls_certificate_sds_secret_configs ?? [])];
  const ca = context.combined_validation_context?.validation_context_sds_secret_config;
  if (ca !== undefined) configs.push(ca);
  return configs.filter((config) => config.sds_config === 'ads').map((config) => config.name);
}

function hasCertificate(context: CommonTlsContext, secrets: Readonly<Record<string, Secret>>): boolean {
  const configs = context.tls_certificate_sds_secret_configs ?? [];
  return configs.some((config) => secrets[config.name]?.kind === 'tls_certificate');
}

function hasValidation(context: CommonTlsContext, secrets: Readonly<Record<string, Secret>>): boolean {
  const combined = context.combined_validation_context;
  if (combined === undefined) return true;
  if (secrets[combined.validation_context_sds_secret_config.name]?.kind !== 'validation_context') return false;
  const { crl, verify_certificate_hash: hashes, verify_certificate_spki: spkis } = combined.default_validation_context;
  if (crl !== undefined && secrets[`${CRL_FILE_PREFIX}${crl.filename}`]?.kind !== 'validation_context') return false;
  // Envoy refuses the whole context for a pin that is none.
  return (hashes ?? []).every((pin) => CERTIFICATE_HASH.test(pin)) && (spkis ?? []).every((pin) => SPKI_HASH.test(pin));
}
