// What Envoy refuses in a listener although istiod sent it. Spec gateway.md §4.6, §7.2.
import type { FilterChain, FilterChainMatch, Listener } from '../xds/index.js';

/** Ports whose wildcard address the bootstrap's own listeners hold (spec gateway.md §13). */
const STATIC_PORTS: ReadonlySet<number> = new Set([15021, 15090]);

/**
 * Envoy's reason for refusing the listener, letter for letter; `undefined` when it takes it.
 *
 *     rejectionOf(listener, '0.0.0.0:8443'); // "error adding listener '0.0.0.0:8443': multiple filter chains with …"
 *
 * Chains are looked at in order and each one through all checks, so the first bad chain decides the text.
 */
export function rejectionOf(listener: Listener, address: string): string | undefined {
  const matches = new Set<string>();
  const combinations = new Set<string>();
  for (const chain of listener.filter_chains) {
    const match = chain.filter_chain_match ?? {};
    const printed = printMatch(match);
    if (matches.has(printed)) {
      return `error adding listener '${address}': filter chain '' has the same matching rules defined as ''. duplicate matcher is: ${printed}`;
    }
    matches.add(printed);
    if ((match.server_names ?? []).some(isPartialWildcard))
      return `error adding listener '${address}': partial wildcards are not supported in "server_names"`;
    const tls = tlsRejection(chain);
    if (tls !== undefined) return tls;
    for (const combination of combinationsOf(match)) {
      if (combinations.has(combination))
        return `error adding listener '${address}': multiple filter chains with overlapping matching rules are defined`;
      combinations.add(combination);
    }
  }
  return addressRejection(listener);
}

/** Envoy's JSON of the message: fields by number, so protocols stand before names. */
function printMatch(match: FilterChainMatch): string {
  return JSON.stringify({
    ...(match.application_protocols === undefined ? {} : { application_protocols: match.application_protocols }),
    ...(match.server_names === undefined ? {} : { server_names: match.server_names }),
  });
}

function isPartialWildcard(serverName: string): boolean {
  return serverName.includes('*') && !serverName.startsWith('*.');
}

/** Every (server name, protocol) pair that the chain answers to; '' stands for "none demanded". */
function combinationsOf(match: FilterChainMatch): readonly string[] {
  const names = match.server_names ?? [''];
  const protocols = match.application_protocols ?? [''];
  return names.flatMap((name) => protocols.map((protocol) => `${name.toLowerCase()} ${protocol}`));
}

/** Building the chain's TLS context fails at once only for what does not wait for a secret. */
function tlsRejection(chain: FilterChain): string | undefined {
  const context = chain.transport_socket?.typed_config.common_tls_context.validation_context;
  if ((context?.match_subject_alt_names ?? []).length === 0) return undefined;
  return 'SAN-based verification of peer certificates without trusted CA is insecure and not allowed';
}

function addressRejection(listener: Listener): string | undefined {
  if (!('socket_address' in listener.address)) return undefined;
  const { address, port_value: port } = listener.address.socket_address;
  if (address !== '0.0.0.0' || !STATIC_PORTS.has(port)) return undefined;
  return `error adding listener: '${listener.name}' has duplicate address '${address}:${port}' as existing listener`;
}
