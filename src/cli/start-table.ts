// What `run` says at start: host → TLS mode → where it goes, and a command per host that works when pasted.
import type { BoundListener } from '../gateway/run.js';
import type { FilterChain, RouteConfiguration, Snapshot, VirtualHost } from '../xds/index.js';

/** One host of one listener. */
export interface HostRow {
  readonly listener: BoundListener;
  /** As in the configuration: may be `*` or `*.example.com`. */
  readonly host: string;
  readonly mode: string;
  readonly destination: string;
  /** Of the first rule, for a request that reaches it. */
  readonly path: string;
  readonly kind: 'http' | 'https' | 'tls' | 'tcp' | 'auto-passthrough';
  /** SDS names of the chain: server certificate and client CA. */
  readonly certificate: string | undefined;
  readonly clientCa: string | undefined;
  readonly ready: boolean;
}

/** How a client of this machine may trust and be trusted; files of PEM. */
export interface ClientMaterial {
  readonly caFile?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The hosts that the bound listeners serve, in the order of the configuration. */
export function hostRows(snapshot: Snapshot, listeners: readonly BoundListener[]): HostRow[] {
  const rows: HostRow[] = [];
  const routes = new Map(snapshot.routes.map((config) => [config.name, config]));
  for (const listener of listeners) {
    const entry = snapshot.listeners.find(({ name, state }) => name === listener.name && state === 'active');
    for (const chain of entry?.listener?.filter_chains ?? [])
      rows.push(...chainRows(chain, listener, routes, snapshot));
  }
  return rows;
}

function chainRows(
  chain: FilterChain,
  listener: BoundListener,
  routes: ReadonlyMap<string, RouteConfiguration>,
  snapshot: Snapshot,
): HostRow[] {
  const tls = chain.transport_socket?.typed_config;
  const certificate = tls?.common_tls_context.tls_certificate_sds_secret_configs?.[0]?.name;
  const clientCa = tls?.common_tls_context.combined_validation_context?.validation_context_sds_secret_config.name;
  const ready = [certificate, clientCa].every(
    (name) => name === undefined || (snapshot.secrets[name] !== undefined && snapshot.secrets[name].kind !== 'refused'),
  );
  const mode = tlsMode(chain, certificate, clientCa);
  const common = { listener, mode, certificate, clientCa, ready };
  const filter = chain.filters[chain.filters.length - 1];
  if (filter?.name === 'envoy.filters.network.http_connection_manager') {
    const config = routes.get(filter.typed_config.rds.route_config_name);
    return (config?.virtual_hosts ?? []).flatMap((virtualHost) =>
      virtualHost.domains.map((host) => ({
        ...common,
        host,
        destination: httpDestination(virtualHost),
        path: samplePath(virtualHost),
        kind: tls === undefined ? ('http' as const) : ('https' as const),
      })),
    );
  }
  if (filter?.name !== 'envoy.filters.network.tcp_proxy') return [];
  const destination =
    filter.typed_config.cluster ??
    (filter.typed_config.weighted_clusters?.clusters ?? []).map(({ name, weight }) => `${weight} ${name}`).join(', ');
  const names = chain.filter_chain_match?.server_names ?? ['*'];
  const isAuto = chain.filter_chain_match?.application_protocols !== undefined;
  // Every service has its chain here, most of them with no endpoint that counts as mTLS.
  if (isAuto && (snapshot.endpoints[destination] ?? []).length === 0) return [];
  const isPlain = tls === undefined && chain.filter_chain_match === undefined;
  return names.map((host) => ({
    ...common,
    host,
    destination,
    path: '/',
    kind: isAuto ? ('auto-passthrough' as const) : isPlain ? ('tcp' as const) : ('tls' as const),
  }));
}

function tlsMode(chain: FilterChain, certificate: string | undefined, clientCa: string | undefined): string {
  const tls = chain.transport_socket?.typed_config;
  if (tls === undefined) {
    if (chain.filter_chain_match?.application_protocols !== undefined) return 'AUTO_PASSTHROUGH';
    return chain.filter_chain_match?.server_names === undefined ? 'plaintext' : 'PASSTHROUGH';
  }
  if (certificate === 'default' && clientCa === 'ROOTCA') return 'ISTIO_MUTUAL';
  if (tls.require_client_certificate) return 'MUTUAL';
  return clientCa === undefined ? 'SIMPLE' : 'OPTIONAL_MUTUAL';
}

function httpDestination(virtualHost: VirtualHost): string {
  if (virtualHost.require_tls === 'ALL') return '301 to https';
  const route = virtualHost.routes?.[0];
  if (route === undefined) return '404 (no VirtualService)';
  const more = (virtualHost.routes?.length ?? 0) > 1 ? `, ${(virtualHost.routes?.length ?? 0) - 1} more rules` : '';
  if (route.redirect !== undefined) return `redirect${more}`;
  if (route.direct_response !== undefined) return `${route.direct_response.status}${more}`;
  const clusters = route.route?.weighted_clusters?.clusters.map(({ name, weight }) => `${weight} ${name}`).join(', ');
  return `${route.route?.cluster ?? clusters ?? '404'}${more}`;
}

function samplePath(virtualHost: VirtualHost): string {
  const match = virtualHost.routes?.[0]?.match;
  const path = match?.path ?? match?.prefix ?? '/';
  return path.startsWith('/') ? path : '/';
}

/** A command for the shell that reaches this host. */
function clientCommand(row: HostRow, material: ClientMaterial): string {
  const address = row.listener.boundPort;
  const ip = row.listener.address;
  const host = row.host === '*' ? 'localhost' : row.host.startsWith('*.') ? `any${row.host.slice(1)}` : row.host;
  switch (row.kind) {
    case 'http':
      return `curl ${resolve(host, address, ip)}http://${host}:${address}${quote(row.path)}`;
    case 'https':
    case 'tls': {
      const trust =
        material.caFile === undefined || row.mode === 'PASSTHROUGH' ? '-k ' : `--cacert ${quote(material.caFile)} `;
      const client =
        material.cert === undefined || material.key === undefined || row.clientCa === undefined
          ? ''
          : `--cert ${quote(material.cert)} --key ${quote(material.key)} `;
      // A terminated TLS server with a TCP route offers h2 to its raw backend (spec gateway.md §10.2).
      const version = row.kind === 'tls' && row.mode !== 'PASSTHROUGH' ? '--http1.1 ' : '';
      return `curl ${version}${trust}${client}${resolve(host, address, ip)}https://${host}:${address}${quote(row.path)}`;
    }
    case 'tcp':
      return `nc ${ip} ${address}`;
    case 'auto-passthrough':
      return `openssl s_client -connect ${ip}:${address} -servername ${host} -alpn istio`;
    default: {
      const unreachable: never = row.kind;
      return unreachable;
    }
  }
}

function resolve(host: string, port: number, ip: string): string {
  return host === 'localhost' && ip === '127.0.0.1' ? '' : `--resolve ${host}:${port}:${ip} `;
}

function quote(text: string): string {
  return /^[\w./:@%+,=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The whole text: table, commands, and once what a browser needs. Plain, for stderr. */
export function renderStart(
  rows: readonly HostRow[],
  material: (row: HostRow) => ClientMaterial,
  development: { readonly caFile: string | undefined },
): string {
  if (rows.length === 0) return 'no host is served\n';
  const shown = collapse(rows);
  const cells = shown.map((row) => [
    `${row.host}${row.ready ? '' : ' (Secret missing)'}`,
    row.mode,
    `${row.listener.address}:${row.listener.boundPort}`,
    row.destination,
  ]);
  const lines = table(['HOST', 'TLS', 'ADDRESS', 'DESTINATION'], cells);
  lines.push('');
  for (const row of shown) if (row.ready) lines.push(clientCommand(row, material(row)));
  const names = [...new Set(shown.filter((row) => isBrowsable(row)).map((row) => row.host))];
  if (names.length > 0) {
    lines.push('', `For a browser, add to /etc/hosts:  127.0.0.1 ${names.join(' ')}`);
    lines.push(
      development.caFile === undefined
        ? 'and accept the certificate that it warns of (or import the CA that signed it).'
        : `and import the development CA as a trusted authority: ${development.caFile}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

// An east-west gateway has a chain per service, port and subset: one line each is plenty, two dozen are not read.
function collapse(rows: readonly HostRow[]): readonly HostRow[] {
  const auto = rows.filter((row) => row.kind === 'auto-passthrough');
  return auto.length <= 8 ? rows : [...rows.filter((row) => row.kind !== 'auto-passthrough'), ...auto.slice(0, 8)];
}

function isBrowsable(row: HostRow): boolean {
  return (
    row.ready && !row.host.includes('*') && (row.kind === 'https' || row.kind === 'http' || row.mode === 'PASSTHROUGH')
  );
}

/** Columns padded to the widest cell, three blanks apart. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3)))
      .join('')
      .trimEnd();
  return [line(header), ...rows.map(line)];
}
