// What `run` says at start: host → TLS mode → where it goes, and a command per host that works when pasted.

import { ROOT, type SampleRequest, sampleRequest } from '../decide/sample-request.js';
import type { BoundListener } from '../gateway/run.js';
import type { FilterChain, RouteConfiguration, Snapshot, VirtualHost } from '../xds/index.js';

/** One host of one listener. */
export interface HostRow {
  readonly listener: BoundListener;
  /** As in the configuration: may be `*` or `*.example.com`. */
  readonly host: string;
  readonly mode: string;
  readonly destination: string;
  /** A request that reaches a rule. */
  readonly sample: SampleRequest;
  readonly kind: 'http' | 'https' | 'tls' | 'tcp' | 'auto-passthrough';
  /** SDS names of the chain: server certificate and client CA. */
  readonly certificate: string | undefined;
  readonly clientCa: string | undefined;
  /** What keeps it from answering as the table says. */
  readonly problem: string | undefined;
  /** An echo stub stands in for the destination. */
  readonly stubbed: boolean;
}

/** How a client of this machine may trust and be trusted; files of PEM. */
export interface ClientMaterial {
  readonly caFile?: string;
  readonly cert?: string;
  readonly key?: string;
  /** DNS names of the server's certificate. */
  readonly names?: readonly string[];
}

/** The hosts that the bound listeners serve, in the order of the configuration. */
export function hostRows(
  snapshot: Snapshot,
  listeners: readonly BoundListener[],
  stubs: readonly string[] = [],
): HostRow[] {
  const stubbed = new Set(stubs);
  const rows: HostRow[] = [];
  const routes = new Map(snapshot.routes.map((config) => [config.name, config]));
  for (const listener of listeners) {
    const entry = snapshot.listeners.find(({ name, state }) => name === listener.name && state === 'active');
    for (const chain of entry?.listener?.filter_chains ?? [])
      rows.push(...chainRows(chain, listener, routes, snapshot, stubbed));
  }
  return rows;
}

function chainRows(
  chain: FilterChain,
  listener: BoundListener,
  routes: ReadonlyMap<string, RouteConfiguration>,
  snapshot: Snapshot,
  stubs: ReadonlySet<string>,
): HostRow[] {
  const tls = chain.transport_socket?.typed_config;
  const certificate = tls?.common_tls_context.tls_certificate_sds_secret_configs?.[0]?.name;
  const clientCa = tls?.common_tls_context.combined_validation_context?.validation_context_sds_secret_config.name;
  const problem = secretProblem([certificate, clientCa], snapshot);
  const mode = tlsMode(chain, certificate, clientCa);
  const common = { listener, mode, certificate, clientCa, problem, stubbed: false };
  const filter = chain.filters[chain.filters.length - 1];
  if (filter?.name === 'envoy.filters.network.http_connection_manager') {
    const config = routes.get(filter.typed_config.rds.route_config_name);
    const isRefused = config !== undefined && snapshot.refusedRoutes?.[config.name] !== undefined;
    return (config?.virtual_hosts ?? []).flatMap((virtualHost) =>
      virtualHost.domains.map((host) => ({
        ...common,
        problem: problem ?? (isRefused ? 'routes refused' : undefined),
        host,
        destination: isRefused ? '404 (Envoy refuses the route table)' : httpDestination(virtualHost),
        sample: sampleRequest(virtualHost),
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
    stubbed: stubs.has(destination),
    sample: ROOT,
    kind: isAuto ? ('auto-passthrough' as const) : isPlain ? ('tcp' as const) : ('tls' as const),
  }));
}

function secretProblem(names: readonly (string | undefined)[], { secrets }: Snapshot): string | undefined {
  for (const name of names) {
    if (name === undefined) continue;
    const secret = secrets[name];
    if (secret === undefined) return 'Secret missing';
    if (secret.kind === 'refused') return 'Secret refused';
  }
  return undefined;
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

/** A command for the shell that reaches this host. What needs something that only the user has is a comment. */
export function clientCommand(row: HostRow, material: ClientMaterial): string {
  const port = row.listener.boundPort;
  const ip = reachable(row.listener.address);
  const isTls = row.kind === 'https' || row.kind === 'tls';
  const host = concreteHost(row.host, isTls && row.mode !== 'PASSTHROUGH' ? material.names : undefined);
  switch (row.kind) {
    case 'http':
      return `curl ${resolve(host, port, ip)}${request(row.sample)}${quote(`http://${host}:${port}${row.sample.path}`)}`;
    case 'https':
    case 'tls': {
      const trusted = material.caFile !== undefined && row.mode !== 'PASSTHROUGH' && isNamed(host, material.names);
      const trust = trusted ? `--cacert ${quote(material.caFile ?? '')} ` : '-k ';
      const hasClient = material.cert !== undefined && material.key !== undefined;
      const isWanted = row.mode === 'MUTUAL' || row.mode === 'ISTIO_MUTUAL';
      const client =
        hasClient && row.clientCa !== undefined
          ? `--cert ${quote(material.cert ?? '')} --key ${quote(material.key ?? '')} `
          : isWanted
            ? '--cert CERTIFICATE --key KEY '
            : '';
      // A terminated TLS server with a TCP route offers h2 to its raw backend (spec gateway.md §10.2).
      const version = row.kind === 'tls' && row.mode !== 'PASSTHROUGH' ? '--http1.1 ' : '';
      const line = `curl ${version}${trust}${client}${resolve(host, port, ip)}${request(row.sample)}${quote(`https://${host}:${port}${row.sample.path}`)}`;
      return isWanted && !hasClient ? `# ${host} wants a client certificate that its CA has signed: ${line}` : line;
    }
    case 'tcp':
      // The stub answers HTTP; what a real backend speaks is not known here.
      return row.stubbed ? `curl http://${authority(ip, port)}/` : `nc ${ip} ${port}`;
    case 'auto-passthrough':
      return `openssl s_client -connect ${authority(ip, port)} -servername ${host} -alpn istio`;
    default: {
      const unreachable: never = row.kind;
      return unreachable;
    }
  }
}

// `*` and `*.example.com` are no names to dial: one that the certificate covers makes the command work.
function concreteHost(host: string, names: readonly string[] | undefined): string {
  if (!host.includes('*')) return host;
  const first = host === '*' ? names?.[0] : undefined;
  if (first !== undefined) return first.startsWith('*.') ? `any${first.slice(1)}` : first;
  return host === '*' ? 'localhost' : `any${host.slice(1)}`;
}

function isNamed(host: string, names: readonly string[] | undefined): boolean {
  return (
    names?.some((name) =>
      name.startsWith('*.')
        ? host.slice(host.indexOf('.')).toLowerCase() === name.slice(1).toLowerCase()
        : name.toLowerCase() === host.toLowerCase(),
    ) === true
  );
}

// Nobody can dial "every address".
function reachable(address: string): string {
  return address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
}

function authority(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function request({ method, headers }: SampleRequest): string {
  return `${method === 'GET' ? '' : method === 'HEAD' ? '--head ' : `-X ${quote(method)} `}${headers.map(([name, value]) => `-H ${quote(`${name}: ${value}`)} `).join('')}`;
}

function resolve(host: string, port: number, ip: string): string {
  if (host === 'localhost' && ip === '127.0.0.1') return '';
  return `--resolve ${quote(`${host}:${port}:${ip.includes(':') ? `[${ip}]` : ip}`)} `;
}

function quote(text: string): string {
  return /^[\w./:@%+,=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Nobody reads thousands of lines, and a start that prints them is slow. */
const MOST_ROWS = 100;

/** The whole text: table, commands, and once what a browser needs. Plain, for stderr. */
export function renderStart(
  rows: readonly HostRow[],
  material: (row: HostRow) => ClientMaterial,
  development: { readonly caFile: string | undefined },
): string {
  const all = collapse(rows);
  const shown = all.slice(0, MOST_ROWS);
  const cells = shown.map((row) => [
    `${row.host}${row.problem === undefined ? '' : ` (${row.problem})`}`,
    row.mode,
    authority(row.listener.address, row.listener.boundPort),
    row.destination,
  ]);
  const lines = table(['HOST', 'TLS', 'ADDRESS', 'DESTINATION'], cells);
  if (all.length > shown.length)
    lines.push(`and ${all.length - shown.length} more (postern proxy-config routes shows all)`);
  lines.push('');
  for (const row of shown) if (row.problem === undefined) lines.push(clientCommand(row, material(row)));
  const browsable = shown.filter(isBrowsable);
  const names = [...new Set(browsable.map((row) => row.host))];
  if (names.length > 0) {
    const ip = reachable(browsable[0]?.listener.address ?? '');
    lines.push('', `For a browser, add to /etc/hosts:  ${ip} ${names.join(' ')}`);
  }
  if (names.length > 0 && browsable.some((row) => row.kind !== 'http')) {
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
    row.problem === undefined &&
    !row.host.includes('*') &&
    (row.kind === 'https' || row.kind === 'http' || row.mode === 'PASSTHROUGH')
  );
}

/** Columns padded to the widest cell, three blanks apart. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3)))
      .join('')
      .trimEnd();
  return [line(header), ...rows.map(line)];
}
