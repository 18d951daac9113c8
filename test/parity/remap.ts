// A snapshot whose upstreams are elsewhere: the ports that the operating system gave them. Hashes go on seeing the
// configured address, so that a key meets the same endpoint.
import type { Message } from '../../src/export/proto.js';
import type { Endpoint as RealEndpoint } from '../golden/client/channel.js';

/** The bootstrap with real addresses; a `hash_key` keeps the configured one where Envoy hashes endpoints. */
export function remapUpstreams(bootstrap: Message, upstreams: ReadonlyMap<string, RealEndpoint>): Message {
  const resources = bootstrap['static_resources'] as { readonly clusters: readonly Message[] } & Message;
  return {
    ...bootstrap,
    static_resources: {
      ...resources,
      clusters: resources.clusters.map((cluster) => remap(cluster, upstreams) as Message),
    },
  };
}

interface LbEndpoint {
  readonly endpoint: {
    readonly address: { readonly socket_address?: { readonly address: string; readonly port_value: number } };
  };
  readonly metadata?: { readonly filter_metadata?: Message };
}

function remap(value: unknown, upstreams: ReadonlyMap<string, RealEndpoint>): unknown {
  if (Array.isArray(value)) return value.map((member) => remap(member, upstreams));
  if (typeof value !== 'object' || value === null) return value;
  if ('endpoint' in value && typeof value.endpoint === 'object') return remapEndpoint(value as LbEndpoint, upstreams);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, remap(member, upstreams)]));
}

function remapEndpoint(written: LbEndpoint, upstreams: ReadonlyMap<string, RealEndpoint>): LbEndpoint {
  const at = written.endpoint.address.socket_address;
  if (at === undefined) return written;
  const configured = `${at.address}:${at.port_value}`;
  const real = upstreams.get(configured);
  if (real === undefined) return written;
  const filters = written.metadata?.filter_metadata ?? {};
  return {
    ...written,
    endpoint: {
      ...written.endpoint,
      address: { socket_address: { address: real.host, port_value: real.port } },
    },
    metadata: { filter_metadata: { ...filters, 'envoy.lb': { hash_key: configured } } },
  };
}
