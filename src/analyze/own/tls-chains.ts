// Filter chains that end TLS, with the place in the Gateway that they were written at.
import type { WrittenObject } from '../../config/written-object.js';
import type { Origin } from '../../diagnostics/origin.js';
import { type FilterChain, HTTP_CONNECTION_MANAGER } from '../../xds/index.js';
import type { GatewayAnalysisContext } from '../analyzer.js';
import { Field } from '../field.js';

/** One chain with a server certificate. */
export interface TlsChain {
  readonly chain: FilterChain;
  readonly listener: string;
  readonly gateway: WrittenObject;
  readonly server: Field;
  /** SDS names. */
  readonly certificates: readonly string[];
  readonly clientCa: string | undefined;
  readonly serverNames: readonly string[];
  /** Of an HTTP server. */
  readonly routeTable: string | undefined;
}

/** All of them, once per context. */
export function tlsChains(context: GatewayAnalysisContext): readonly TlsChain[] {
  const known = chainsOf.get(context.gateway);
  if (known !== undefined) return known;
  const gateways = new Map(context.all('Gateway').map((gateway) => [gateway.resource, gateway]));
  const found: TlsChain[] = [];
  for (const { name, listener } of context.gateway.snapshot.listeners) {
    for (const chain of listener?.filter_chains ?? []) {
      const tls = chain.transport_socket?.typed_config.common_tls_context;
      const origin = context.gateway.origins.get(chain.originId);
      const gateway = gateways.get(origin?.resource ?? '');
      if (tls === undefined || origin === undefined || gateway === undefined) continue;
      const last = chain.filters[chain.filters.length - 1];
      found.push({
        chain,
        listener: name,
        gateway,
        server: serverAt(gateway, origin),
        certificates: (tls.tls_certificate_sds_secret_configs ?? []).map((secret) => secret.name),
        clientCa: tls.combined_validation_context?.validation_context_sds_secret_config.name,
        serverNames: chain.filter_chain_match?.server_names ?? [],
        routeTable: last?.name === HTTP_CONNECTION_MANAGER ? last.typed_config.rds.route_config_name : undefined,
      });
    }
  }
  chainsOf.set(context.gateway, found);
  return found;
}

const chainsOf = new WeakMap<object, readonly TlsChain[]>();

function serverAt(gateway: WrittenObject, { line, column }: Origin): Field {
  const servers = Field.of(gateway).get('spec', 'servers');
  const found = servers.items().find((server) => {
    const origin = gateway.origin(server.span);
    return origin.line === line && origin.column === column;
  });
  return found ?? servers;
}

/** Where the server names its certificate. */
export function credentialField({ server }: TlsChain): Field {
  const tls = server.get('tls');
  for (const name of ['credentialName', 'credentialNames', 'serverCertificate', 'tlsCertificates']) {
    const field = tls.get(name);
    if (field.isWritten) return field;
  }
  return tls;
}

/** `kubernetes://shop-tls` as people call it. */
export function shownName(sdsName: string): string {
  const scheme = sdsName.indexOf('://');
  return scheme === -1 ? sdsName : sdsName.slice(scheme + '://'.length);
}
