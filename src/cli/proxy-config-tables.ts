// The tables of `postern proxy-config`, with istioctl's columns and cells (spec dataplane.md §8.4).
import { X509Certificate } from 'node:crypto';
import { parseClusterName } from '../translate/names.js';
import type { DumpedSnapshot } from '../translate/published.js';
import type { IstioMetadata } from '../xds/index.js';

export const SECTIONS = ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'] as const;
export type Section = (typeof SECTIONS)[number];

export function isSection(text: string): text is Section {
  return SECTIONS.some((section) => section === text);
}

/** The lines of one section. `isShort` is istioctl's `--verbose=false`; it changes listeners and routes only. */
export function renderSection(section: Section, dumped: DumpedSnapshot, isShort: boolean): string[] {
  switch (section) {
    case 'listeners':
      return isShort ? shortListeners(dumped) : listeners(dumped);
    case 'routes':
      return isShort ? shortRoutes(dumped) : routes(dumped);
    case 'clusters':
      return clusters(dumped);
    case 'endpoints':
      return endpoints(dumped);
    case 'secrets':
      return secrets(dumped);
    default:
      return section satisfies never;
  }
}

type Listener = DumpedSnapshot['listeners'][number];
type Chain = NonNullable<Listener['listener']>['filter_chains'][number];

// By port and address; a listener that Envoy refused has no chains and shows why.
function sortedListeners(dumped: DumpedSnapshot): { address: string; port: number; entry: Listener }[] {
  const rows = dumped.listeners.map((entry) => {
    const socket = entry.listener?.address;
    if (socket !== undefined && 'socket_address' in socket)
      return { address: socket.socket_address.address, port: socket.socket_address.port_value, entry };
    return { address: entry.name, port: 0, entry };
  });
  return rows.sort((a, b) => a.port - b.port || compare(a.address, b.address));
}

function listeners(dumped: DumpedSnapshot): string[] {
  const rows = sortedListeners(dumped).flatMap(({ address, port, entry }) => {
    if (entry.listener === undefined) return [[entry.name, '', entry.state, entry.error ?? '']];
    return entry.listener.filter_chains
      .map((chain) => [address, String(port), chainMatch(chain), destination(chain)])
      .sort((a, b) => compare(b[3] ?? '', a[3] ?? ''));
  });
  return rows.length === 0 ? ['no listeners found'] : render(['ADDRESSES', 'PORT', 'MATCH', 'DESTINATION'], rows, 1);
}

function shortListeners(dumped: DumpedSnapshot): string[] {
  const rows = sortedListeners(dumped).map(({ address, port, entry }) => {
    const kinds = new Set((entry.listener?.filter_chains ?? []).map((chain) => chainType(chain)));
    const types = ['HTTP', 'TCP'].filter((kind) => kinds.has(kind)).join('+');
    return [address, String(port), types === '' ? 'UNKNOWN' : types];
  });
  return rows.length === 0 ? ['no listeners found'] : render(['ADDRESSES', 'PORT', 'TYPE'], rows, 1);
}

/** What istioctl calls a whole set of protocols, in any order. */
const PROTOCOL_GROUPS: readonly (readonly [name: string, protocols: readonly string[]])[] = [
  ['HTTP TLS', ['http/1.0', 'http/1.1', 'h2c', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']],
  ['Istio HTTP Plain', ['istio', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']],
  ['TCP TLS', ['istio-peer-exchange', 'istio']],
  ['HTTP', ['http/1.0', 'http/1.1', 'h2c']],
];

function chainMatch(chain: Chain): string {
  const { server_names: names, application_protocols: protocols } = chain.filter_chain_match ?? {};
  const parts: string[] = [];
  if (names !== undefined && names.length > 0) parts.push(`SNI: ${names.join(',')}`);
  if (protocols !== undefined && protocols.length > 0) {
    const group = PROTOCOL_GROUPS.find(
      ([, known]) => known.length === protocols.length && known.every((protocol) => protocols.includes(protocol)),
    );
    parts.push(`App: ${group?.[0] ?? protocols.join(',')}`);
  }
  return parts.length === 0 ? 'ALL' : parts.join('; ');
}

function chainType(chain: Chain): string {
  const last = chain.filters.at(-1)?.name;
  if (last === 'envoy.filters.network.http_connection_manager') return 'HTTP';
  return last === 'envoy.filters.network.tcp_proxy' ? 'TCP' : '';
}

function destination(chain: Chain): string {
  const last = chain.filters.at(-1);
  if (last?.name === 'envoy.filters.network.http_connection_manager')
    return `Route: ${last.typed_config.rds.route_config_name}`;
  if (last?.name !== 'envoy.filters.network.tcp_proxy') return 'Non-HTTP/Non-TCP';
  const { cluster, weighted_clusters: weighted } = last.typed_config;
  return `Cluster: ${cluster ?? (weighted?.clusters ?? []).map(({ name }) => name).join(', ')}`;
}

function routes(dumped: DumpedSnapshot): string[] {
  const rows = sortedTables(dumped).flatMap((config) =>
    config.virtual_hosts.flatMap((virtualHost) => {
      const common = [config.name, virtualHost.name, domains(virtualHost.domains)];
      const list = virtualHost.routes ?? [];
      if (list.length === 0) return [[...common, '/*', '404']];
      return list.map(({ match, metadata }) => {
        const { path, prefix, safe_regex: regex } = match;
        const shown = path ?? (prefix === undefined ? `regex ${regex?.regex ?? ''}` : `${prefix}*`);
        return [...common, shown, resourceOf(metadata)];
      });
    }),
  );
  return rows.length === 0
    ? ['no routes found']
    : render(['NAME', 'VHOST NAME', 'DOMAINS', 'MATCH', 'VIRTUAL SERVICE'], rows, 5);
}

function shortRoutes(dumped: DumpedSnapshot): string[] {
  const rows = sortedTables(dumped).map(({ name, virtual_hosts: hosts }) => [name, String(hosts.length)]);
  return rows.length === 0 ? ['no routes found'] : render(['NAME', 'VIRTUAL HOSTS'], rows, 5);
}

function sortedTables(dumped: DumpedSnapshot): DumpedSnapshot['routes'] {
  return [...dumped.routes].sort((a, b) => compare(a.name, b.name));
}

// One is shown; of several up to two, those left out that only repeat another with a port or with the cluster's suffix.
function domains(all: readonly string[]): string {
  if (all.length === 1) return all[0] ?? '';
  const names = new Set(all);
  const repeats = (text: string): boolean =>
    [/:\d+$/, /\.svc\.cluster\.local$/, /\.svc$/].some((end) => end.test(text) && names.has(text.replace(end, '')));
  const own = all.filter((text) => !repeats(text));
  return own.length <= 2 ? own.join(', ') : `${own.slice(0, 2).join(', ')} + ${own.length - 2} more...`;
}

function clusters(dumped: DumpedSnapshot): string[] {
  const parsed = dumped.clusters.map((cluster) => ({ cluster, name: parseClusterName(cluster.name) }));
  // istioctl's order: by service, subset, port.
  parsed.sort(
    (a, b) =>
      compare(a.name?.hostname ?? a.cluster.name, b.name?.hostname ?? b.cluster.name) ||
      compare(a.name?.subset ?? '', b.name?.subset ?? '') ||
      (a.name?.port ?? 0) - (b.name?.port ?? 0),
  );
  const rows = parsed.map(({ cluster, name }) => {
    const type = cluster.type ?? cluster.cluster_type?.name ?? '';
    const rule = resourceOf(cluster.metadata);
    return name === undefined
      ? [cluster.name, '-', '-', '-', type, rule]
      : [name.hostname, String(name.port), name.subset === '' ? '-' : name.subset, 'outbound', type, rule];
  });
  return rows.length === 0
    ? ['no clusters found']
    : render(['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'DESTINATION RULE'], rows, 5);
}

function endpoints(dumped: DumpedSnapshot): string[] {
  const rows = Object.entries(dumped.endpoints).flatMap(([cluster, list]) =>
    list.map(({ address, health }) => {
      const colon = address.lastIndexOf(':');
      return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)), address, health, cluster };
    }),
  );
  rows.sort((a, b) => compare(a.host, b.host) || a.port - b.port || compare(a.cluster, b.cluster));
  return render(
    ['ENDPOINT', 'STATUS', 'OUTLIER CHECK', 'CLUSTER'],
    rows.map(({ address, health, cluster }) => [address, health, 'OK', cluster]),
    5,
  );
}

function secrets(dumped: DumpedSnapshot): string[] {
  const { active, warming } = dumped.secrets;
  const rows = [
    ...active.map((name) => [name, ...certificateCells(dumped.certificates[name], 'ACTIVE')]),
    ...warming.map((name) => [name, ...certificateCells(undefined, 'WARMING')]),
  ];
  return rows.length === 0
    ? ['No active or warming secrets found.']
    : render(['RESOURCE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE'], rows, 5);
}

// The first certificate speaks for the chain, as in istioctl; valid = within its dates.
function certificateCells(secret: DumpedSnapshot['certificates'][string] | undefined, status: string): string[] {
  if (secret === undefined) return ['', status, 'false', '', '', ''];
  const isChain = secret.kind === 'tls_certificate';
  const type = isChain ? 'Cert Chain' : 'CA';
  try {
    const { serialNumber, validFrom, validTo } = new X509Certificate(
      isChain ? secret.certificateChain : secret.trustedCa,
    );
    const now = Date.now();
    const isValid = now >= Date.parse(validFrom) && now <= Date.parse(validTo);
    const serial = serialNumber.toLowerCase().padStart(32, '0');
    return [type, status, String(isValid), serial, timestamp(validTo), timestamp(validFrom)];
  } catch {
    return [type, status, 'false', '', '', ''];
  }
}

function timestamp(text: string): string {
  return new Date(text).toISOString().replace('.000Z', 'Z');
}

/** `web.shop` of `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/web`; '' without. */
function resourceOf(metadata: IstioMetadata | undefined): string {
  const parts = metadata?.filter_metadata?.istio?.config?.split('/') ?? [];
  const name = parts.at(-1);
  const namespace = parts.at(-3);
  return name === undefined || namespace === undefined ? '' : `${name}.${namespace}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

// Go's tabwriter: every cell but the last is filled up to the widest of its column and `padding` more.
function render(header: readonly string[], rows: readonly (readonly string[])[], padding: number): string[] {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), title.length),
  );
  return [header, ...rows].map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + padding)))
      .join(''),
  );
}
