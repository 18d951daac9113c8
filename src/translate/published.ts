// A snapshot as others may see it: without our own fields and without key material, in the shape of the recordings'
// xds.json. Used by `proxy-config -o json`, by the admin listener and by comparisons with a real gateway.
import {
  type Cluster,
  type CommonTlsContext,
  CRL_FILE_PREFIX,
  type Endpoint,
  type FilterChain,
  type ListenerEntry,
  type PublishedSecrets,
  type RouteConfiguration,
  type Snapshot,
  type UpstreamTransportSocket,
} from '../xds/index.js';
import { parseClusterName } from './names.js';
import { acceptedRouteTables } from './routes/acceptance.js';
import { MESH_ROOT, WORKLOAD_CERTIFICATE } from './sds-names.js';

/** Fields of ours, and statistics names. */
type OwnField = 'originId' | 'label' | 'stat_prefix';

/** `T` without our own fields, at any depth. */
export type Published<T> = T extends readonly (infer U)[]
  ? readonly Published<U>[]
  : T extends object
    ? { readonly [K in keyof T as K extends OwnField ? never : K]: Published<T[K]> }
    : T;

/** One row of `endpoints` in the recordings. */
export type PublishedEndpoint = Pick<Endpoint, 'address' | 'weight' | 'locality' | 'priority' | 'health'>;

/** The sections of xds.json. */
export interface PublishedSnapshot {
  readonly listeners: readonly Published<ListenerEntry>[];
  readonly routes: readonly Published<RouteConfiguration>[];
  readonly clusters: readonly Published<Cluster>[];
  readonly endpoints: Readonly<Record<string, readonly PublishedEndpoint[]>>;
  readonly secrets: PublishedSecrets;
}

/** A snapshot as `/config_dump` shows it: with certificates and with the resources that routes and clusters come from. */
export interface DumpedSnapshot extends PublishedSnapshot {
  /** By SDS name: the public part of what is active. */
  readonly certificates: Readonly<Record<string, DumpedSecret>>;
}

/** PEM. */
export type DumpedSecret =
  | { readonly kind: 'tls_certificate'; readonly certificateChain: string }
  | { readonly kind: 'validation_context'; readonly trustedCa: string };

/** Everything that may be shown of a snapshot. Nothing of it is shared with the snapshot. */
export function dumpSnapshot(snapshot: Snapshot): DumpedSnapshot {
  const certificates: Record<string, DumpedSecret> = {};
  const secrets = publishedSecrets(snapshot);
  for (const name of secrets.active) {
    const secret = snapshot.secrets[name];
    if (secret?.kind === 'tls_certificate')
      certificates[name] = { kind: 'tls_certificate', certificateChain: secret.certificateChain };
    else if (secret?.kind === 'validation_context')
      certificates[name] = { kind: 'validation_context', trustedCa: secret.trustedCa };
  }
  return { ...sections(snapshot, publish), secrets, certificates };
}

/**
 * The five sections in the shape of the recordings. Nothing of it is shared with the snapshot. Left out, as in the recordings:
 * clusters without any endpoint under `endpoints`, and the ordinary clusters of the gateway's own Service.
 */
export function publishSnapshot(snapshot: Snapshot): PublishedSnapshot {
  return { ...sections(snapshot, publishAsRecorded), secrets: publishedSecrets(snapshot) };
}

/** The same of a dump. */
export function asRecorded({ certificates: _, ...dumped }: DumpedSnapshot): PublishedSnapshot {
  return copyWithout(dumped, RECORDING_LEAVES_OUT) as PublishedSnapshot;
}

function sections(
  snapshot: Snapshot,
  copy: <T>(value: T) => Published<T>,
): Pick<PublishedSnapshot, 'listeners' | 'routes' | 'clusters' | 'endpoints'> {
  const endpoints: Record<string, readonly PublishedEndpoint[]> = {};
  for (const [cluster, list] of Object.entries(snapshot.endpoints))
    if (list.length > 0 && !isOwnCluster(snapshot, cluster)) endpoints[cluster] = list.map(publishEndpoint);
  return {
    listeners: copy(snapshot.listeners),
    routes: copy(acceptedRouteTables(snapshot)),
    clusters: copy(snapshot.clusters.filter(({ name }) => !isOwnCluster(snapshot, name))),
    endpoints,
  };
}

/**
 * Names only. Active is what was delivered, refused by Envoy or not; warming is what is asked for and never came. The
 * workload's own certificate is always there: a gateway that has none does not come up.
 */
export function publishedSecrets(snapshot: Snapshot): PublishedSecrets {
  const own = [WORKLOAD_CERTIFICATE, MESH_ROOT];
  const names = new Set([...own, ...requestedSecrets(snapshot)]);
  // A revocation list read from a file is no SDS resource.
  const sorted = [...names].filter((name) => !name.startsWith(CRL_FILE_PREFIX)).sort();
  const isActive = (name: string): boolean => name in snapshot.secrets || own.includes(name);
  return { active: sorted.filter(isActive), warming: sorted.filter((name) => !isActive(name)) };
}

/** Every SDS name that a chain or a cluster of the snapshot asks for, in order of first use. */
function requestedSecrets(snapshot: Pick<Snapshot, 'listeners' | 'clusters'>): readonly string[] {
  const names = new Set<string>();
  for (const { listener } of snapshot.listeners)
    for (const chain of listener?.filter_chains ?? []) for (const name of chainSecrets(chain)) names.add(name);
  for (const cluster of snapshot.clusters) for (const name of clusterSecrets(cluster)) names.add(name);
  return [...names];
}

/** SDS names that a chain asks for, its revocation list included; repetitions stay. */
export function chainSecrets(chain: FilterChain): readonly string[] {
  const context = chain.transport_socket?.typed_config.common_tls_context;
  return context === undefined ? [] : contextSecrets(context);
}

/** SDS names that a cluster asks for, on any of its sockets. */
export function clusterSecrets(cluster: Cluster): readonly string[] {
  const sockets = [
    ...(cluster.transport_socket === undefined ? [] : [cluster.transport_socket]),
    ...(cluster.transport_socket_matches ?? []).map((match) => match.transport_socket),
  ];
  return sockets.flatMap(socketSecrets);
}

function socketSecrets(socket: UpstreamTransportSocket): readonly string[] {
  const config = socket.typed_config;
  if ('common_tls_context' in config) return contextSecrets(config.common_tls_context as CommonTlsContext);
  if ('transport_socket' in config) return socketSecrets(config.transport_socket as UpstreamTransportSocket);
  return [];
}

function contextSecrets(context: CommonTlsContext): readonly string[] {
  const names = (context.tls_certificate_sds_secret_configs ?? []).map((config) => config.name);
  const combined = context.combined_validation_context;
  if (combined !== undefined) {
    names.push(combined.validation_context_sds_secret_config.name);
    if (combined.default_validation_context.crl !== undefined)
      names.push(`${CRL_FILE_PREFIX}${combined.default_validation_context.crl.filename}`);
  }
  return names;
}

function isOwnCluster({ node }: Snapshot, name: string): boolean {
  return name.startsWith('outbound|') && (node.services ?? []).includes(parseClusterName(name)?.hostname ?? '');
}

function publishEndpoint(endpoint: Endpoint): PublishedEndpoint {
  const { address, weight, locality, priority, health } = endpoint;
  return { address, weight, locality: { ...locality }, priority, health };
}

const OWN_FIELDS: ReadonlySet<string> = new Set<OwnField>(['originId', 'label', 'stat_prefix']);

/** What a config dump of a real gateway shows beyond the recordings. */
const RECORDING_LEAVES_OUT: ReadonlySet<string> = new Set([...OWN_FIELDS, 'metadata']);

/** Any part of a snapshot without our own fields. */
export function publish<T>(value: T): Published<T> {
  return copyWithout(value, OWN_FIELDS) as Published<T>;
}

function publishAsRecorded<T>(value: T): Published<T> {
  return copyWithout(value, RECORDING_LEAVES_OUT) as Published<T>;
}

function copyWithout(value: unknown, fields: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((member) => copyWithout(member, fields));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) if (!fields.has(key)) copy[key] = copyWithout(member, fields);
  return copy;
}
