// "This service is really there": `--upstream HOST[:PORT][/SUBSET]=ADDR:PORT` laid over a snapshot. A mapping replaces
// endpoint addresses only; services, ports, subsets, TLS settings, SNI and names stay what they are, so that a wrong
// port or a missing subset fails as it would in Istio (spec destinations.md §12.2, §12.5).
import net from 'node:net';
import { parse } from 'yaml';
import { parseClusterName } from '../translate/names.js';
import type { Cluster, Endpoint, Snapshot } from '../xds/index.js';

/** One `--upstream`, taken apart. */
export interface UpstreamMapping {
  /** As written, for messages. */
  readonly text: string;
  /** Lower case; may start with `*.`; short forms `svc.ns` and `svc.ns.svc` stand for the full name. */
  readonly host: string;
  readonly port: number | undefined;
  readonly subset: string | undefined;
  readonly targets: readonly { readonly address: string; readonly port: number }[];
}

/** `undefined` when the text is not a mapping. */
export function parseUpstreamMapping(text: string, domain = 'cluster.local'): UpstreamMapping | undefined {
  const equals = text.indexOf('=');
  if (equals < 1) return undefined;
  return buildMapping(text, text.slice(0, equals), text.slice(equals + 1), domain);
}

/** The entries of a mapping file or of the library's `upstreams` option: left side → target. */
export function parseUpstreamEntry(key: string, target: string, domain = 'cluster.local'): UpstreamMapping | undefined {
  return buildMapping(`${key}=${target}`, key, target, domain);
}

/** A YAML map of left sides to targets, bare or under the key `upstreams`; a string says what is wrong with the text. */
export function parseUpstreamFile(text: string): readonly UpstreamMapping[] | string {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    // Only the first line, which has the place; a code frame follows.
    return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
  }
  const entries = isRecord(document) && isRecord(document['upstreams']) ? document['upstreams'] : document;
  if (!isRecord(entries)) return 'expected a map of HOST[:PORT][/SUBSET] to ADDR:PORT';
  const mappings: UpstreamMapping[] = [];
  for (const [key, value] of Object.entries(entries)) {
    const mapping = typeof value === 'string' ? parseUpstreamEntry(key, value) : undefined;
    if (mapping === undefined) return `${key}: expected HOST[:PORT][/SUBSET]: ADDR:PORT`;
    mappings.push(mapping);
  }
  return mappings;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function buildMapping(text: string, key: string, value: string, domain: string): UpstreamMapping | undefined {
  const left = /^([^:/\s]+)(?::(\d{1,5}))?(?:\/([\w.-]+))?$/.exec(key.trim());
  if (left === null) return undefined;
  const targets = value.split(',').map((target) => parseTarget(target.trim()));
  if (targets.some((target) => target === undefined)) return undefined;
  const port = left[2] === undefined ? undefined : Number(left[2]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  return {
    text,
    host: expandHost((left[1] as string).toLowerCase(), domain),
    port,
    subset: left[3],
    targets: targets.filter((target) => target !== undefined),
  };
}

function parseTarget(text: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? '';
  if (port < 1 || port > 65535) return undefined;
  return { address: host === 'localhost' ? '127.0.0.1' : host, port };
}

function expandHost(host: string, domain: string): string {
  const labels = host.split('.');
  if (host.startsWith('*')) return host;
  if (labels.length === 3 && labels[2] === 'svc') return `${host}.${domain}`;
  return host;
}

/** A snapshot with the mapped endpoints in it, and the mappings that fit no cluster. */
export interface MappedSnapshot {
  readonly snapshot: Snapshot;
  /** Mappings that fit no cluster. */
  readonly unused: readonly UpstreamMapping[];
}

/** Lays the mappings over a snapshot. The most specific wins: host+port+subset, host+port, host, longest wildcard. */
export function applyUpstreamMappings(
  snapshot: Snapshot,
  mappings: readonly UpstreamMapping[],
  domain = 'cluster.local',
): MappedSnapshot {
  if (mappings.length === 0) return { snapshot, unused: [] };
  const used = new Set<UpstreamMapping>();
  const endpoints: Record<string, readonly Endpoint[]> = { ...snapshot.endpoints };
  const clusters = snapshot.clusters.map((cluster) => {
    const name = parseClusterName(cluster.name);
    if (name === undefined) return cluster;
    const mapping = findMapping(mappings, name.hostname, name.port, name.subset, domain);
    if (mapping === undefined) return cluster;
    used.add(mapping);
    if (mapping.subset === undefined && name.subset !== '' && isUnselectable(snapshot, cluster, name)) return cluster;
    if (mapping.targets.every((target) => net.isIP(target.address) !== 0)) {
      endpoints[cluster.name] = mapping.targets.map((target) => mappedEndpoint(target));
      return asEdsCluster(cluster);
    }
    delete endpoints[cluster.name];
    return asDnsCluster(cluster, mapping);
  });
  return { snapshot: { ...snapshot, clusters, endpoints }, unused: mappings.filter((mapping) => !used.has(mapping)) };
}

function findMapping(
  mappings: readonly UpstreamMapping[],
  hostname: string,
  port: number,
  subset: string,
  domain: string,
): UpstreamMapping | undefined {
  let best: UpstreamMapping | undefined;
  let bestRank = -1;
  for (const mapping of mappings) {
    if (mapping.port !== undefined && mapping.port !== port) continue;
    if (mapping.subset !== undefined && mapping.subset !== subset) continue;
    const hostRank = rankHost(mapping.host, hostname, domain);
    if (hostRank === -1) continue;
    const rank = hostRank * 4 + (mapping.port === undefined ? 0 : 2) + (mapping.subset === undefined ? 0 : 1);
    // The later of two equal ones wins, as with repeated flags.
    if (rank >= bestRank) {
      best = mapping;
      bestRank = rank;
    }
  }
  return best;
}

function rankHost(pattern: string, hostname: string, domain: string): number {
  if (pattern === hostname || `${pattern}.svc.${domain}` === hostname) return 1000;
  if (pattern.startsWith('*') && hostname.endsWith(pattern.slice(1))) return pattern.length;
  return -1;
}

// A subset whose labels fit no pod stays without endpoints even if the service is mapped, provided that the files
// show the service's workloads at all.
function isUnselectable(snapshot: Snapshot, cluster: Cluster, name: { port: number; hostname: string }): boolean {
  const own = snapshot.endpoints[cluster.name];
  const whole = snapshot.endpoints[`outbound|${name.port}||${name.hostname}`];
  return own !== undefined && own.length === 0 && whole !== undefined && whole.length > 0;
}

function mappedEndpoint(target: { readonly address: string; readonly port: number }): Endpoint {
  const address = target.address.includes(':')
    ? `[${target.address}]:${target.port}`
    : `${target.address}:${target.port}`;
  return { address, weight: 1, locality: {}, priority: 0, health: 'HEALTHY', tlsMode: 'disabled' };
}

function asEdsCluster(cluster: Cluster): Cluster {
  const { cluster_type: _type, load_assignment: _assignment, ...rest } = cluster;
  return {
    ...rest,
    type: 'EDS',
    eds_cluster_config: { eds_config: 'ads', service_name: cluster.name },
    ...(cluster.lb_policy === 'CLUSTER_PROVIDED' ? { lb_policy: 'LEAST_REQUEST' as const } : {}),
  };
}

function asDnsCluster(cluster: Cluster, mapping: UpstreamMapping): Cluster {
  const { cluster_type: _type, eds_cluster_config: _eds, ...rest } = cluster;
  return {
    ...rest,
    type: 'STRICT_DNS',
    dns_lookup_family: 'V4_ONLY',
    dns_refresh_rate: '60s',
    respect_dns_ttl: true,
    ...(cluster.lb_policy === 'CLUSTER_PROVIDED' ? { lb_policy: 'LEAST_REQUEST' as const } : {}),
    load_assignment: {
      cluster_name: cluster.name,
      endpoints: [
        {
          locality: {},
          lb_endpoints: mapping.targets.map((target) => ({
            endpoint: { address: { socket_address: { address: target.address, port_value: target.port } } },
            load_balancing_weight: 1,
          })),
        },
      ],
    },
  };
}

/** What people call a cluster in a split: its subset, or the whole name where it has none. */
export function subsetOrName(cluster: string): string {
  const subset = parseClusterName(cluster)?.subset ?? '';
  return subset === '' ? cluster : subset;
}
