// `postern proxy-config SECTION`: what istiod would have sent, or what a running gateway holds; JSON in the shape of
// `istioctl proxy-config`, tables with its columns (spec dataplane.md §8.4).
import { get } from 'node:http';
import { Argument, Command, Option } from 'commander';
import { readConfigDump } from '../admin/config-dump.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { ConfigError, compile } from '../gateway/compile.js';
import { DevelopmentCertificates } from '../gateway/development-certificates.js';
import { parseClusterName } from '../translate/names.js';
import { type PublishedSnapshot, publishSnapshot } from '../translate/published.js';
import { addConfigOptions, type ConfigFlags, compileOptions, configPaths, loadSources } from './config-options.js';
import { BAD_INPUT, CommandError, UNREACHABLE, USAGE } from './exit-codes.js';
import { table } from './start-table.js';

const SECTIONS = ['listeners', 'routes', 'clusters', 'endpoints', 'secrets'] as const;
type Section = (typeof SECTIONS)[number];

interface ProxyConfigFlags extends ConfigFlags {
  readonly output: 'text' | 'json' | 'short';
  readonly admin?: string;
}

export function proxyConfigCommand(): Command {
  return addConfigOptions(
    new Command('proxy-config')
      .alias('pc')
      .description('show listeners, routes, clusters, endpoints or secrets')
      .addArgument(
        new Argument('<SECTION>', 'what to show').choices([...SECTIONS, ...SECTIONS.map((name) => name.slice(0, -1))]),
      )
      .argument('[PATH...]', 'configuration')
      .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'short', 'json']).default('text'))
      .option('--admin <URL>', 'read a running gateway instead (http://127.0.0.1:15000)'),
  ).action(async (named: string, paths: readonly string[], flags: ProxyConfigFlags) => {
    const section = (named.endsWith('s') ? named : `${named}s`) as Section;
    const published = flags.admin === undefined ? await fromFiles(paths, flags) : await fromAdmin(flags.admin);
    process.stdout.write(
      flags.output === 'json'
        ? `${JSON.stringify(published[section], null, 1)}\n`
        : `${render(section, published).join('\n')}\n`,
    );
  });
}

async function fromFiles(paths: readonly string[], flags: ProxyConfigFlags): Promise<PublishedSnapshot> {
  const sources = await loadSources(configPaths(paths, flags));
  try {
    const compiled = await compile(sources, await compileOptions(flags), {
      stubs: undefined,
      certificates: new DevelopmentCertificates(undefined),
      devCerts: flags.devCerts,
    });
    return publishSnapshot(compiled.snapshot);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(renderDiagnostics(error.diagnostics, sources));
    throw new CommandError(BAD_INPUT, error.message);
  }
}

function fromAdmin(written: string): Promise<PublishedSnapshot> {
  const url = written.includes('://') ? written : `http://${written}`;
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:')
    throw new CommandError(USAGE, `--admin ${written}: expected a URL, as in http://127.0.0.1:15000`);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new CommandError(UNREACHABLE, `${url}: ${why}`));
    const request = get(new URL('/config_dump?include_eds', url), (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        if (response.statusCode !== 200) return fail(`answered ${response.statusCode}`);
        const published = parseDump(Buffer.concat(chunks).toString('utf8'));
        if (published === undefined) fail('the answer is no config dump');
        else resolve(published);
      });
      response.on('error', (error) => fail(error.message));
    });
    request.on('error', (error) => fail(error.message));
  });
}

function parseDump(text: string): PublishedSnapshot | undefined {
  try {
    return readConfigDump(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function render(section: Section, published: PublishedSnapshot): string[] {
  switch (section) {
    case 'listeners':
      return listeners(published);
    case 'routes':
      return routes(published);
    case 'clusters':
      return clusters(published);
    case 'endpoints':
      return endpoints(published);
    case 'secrets':
      return secrets(published);
    default: {
      const unreachable: never = section;
      return unreachable;
    }
  }
}

function listeners(published: PublishedSnapshot): string[] {
  const rows: string[][] = [];
  for (const { listener, name, state, error } of published.listeners) {
    if (listener === undefined) {
      rows.push([name, '', state, error ?? '']);
      continue;
    }
    const address =
      'socket_address' in listener.address ? listener.address.socket_address : { address: name, port_value: 0 };
    for (const chain of listener.filter_chains) {
      const match = [
        ...(chain.filter_chain_match?.server_names === undefined
          ? []
          : [`SNI: ${chain.filter_chain_match.server_names.join(',')}`]),
        ...(chain.filter_chain_match?.application_protocols === undefined
          ? []
          : [`App: ${chain.filter_chain_match.application_protocols.join(',')}`]),
      ].join('; ');
      const last = chain.filters[chain.filters.length - 1];
      const destination =
        last?.name === 'envoy.filters.network.http_connection_manager'
          ? `Route: ${last.typed_config.rds.route_config_name}`
          : last?.name === 'envoy.filters.network.tcp_proxy'
            ? `Cluster: ${last.typed_config.cluster ?? (last.typed_config.weighted_clusters?.clusters ?? []).map((cluster) => cluster.name).join(', ')}`
            : 'Non-HTTP/Non-TCP';
      rows.push([address.address, String(address.port_value), match === '' ? 'ALL' : match, destination]);
    }
  }
  return rows.length === 0 ? ['no listeners found'] : table(['ADDRESSES', 'PORT', 'MATCH', 'DESTINATION'], rows);
}

function routes(published: PublishedSnapshot): string[] {
  const rows: string[][] = [];
  for (const config of published.routes) {
    for (const virtualHost of config.virtual_hosts) {
      const domains = virtualHost.domains.join(', ');
      if ((virtualHost.routes ?? []).length === 0) rows.push([config.name, virtualHost.name, domains, '/*', '404']);
      for (const route of virtualHost.routes ?? []) {
        const { path, prefix, safe_regex } = route.match;
        const match = path ?? (prefix === undefined ? `regex ${safe_regex?.regex ?? ''}` : `${prefix}*`);
        rows.push([config.name, virtualHost.name, domains, match, route.name ?? '']);
      }
    }
  }
  return rows.length === 0 ? ['no routes found'] : table(['NAME', 'VHOST NAME', 'DOMAINS', 'MATCH', 'ROUTE'], rows);
}

function clusters(published: PublishedSnapshot): string[] {
  const rows = published.clusters.map((cluster) => {
    const name = parseClusterName(cluster.name);
    const type = cluster.type ?? cluster.cluster_type?.name ?? '';
    return name === undefined
      ? [cluster.name, '-', '-', '-', type]
      : [name.hostname, String(name.port), name.subset === '' ? '-' : name.subset, 'outbound', type];
  });
  return rows.length === 0
    ? ['no clusters found']
    : table(['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE'], rows);
}

function endpoints(published: PublishedSnapshot): string[] {
  const rows = Object.entries(published.endpoints).flatMap(([cluster, list]) =>
    list.map(({ address, health }) => [address, health, 'OK', cluster]),
  );
  return table(
    ['ENDPOINT', 'STATUS', 'OUTLIER CHECK', 'CLUSTER'],
    rows.sort((a, b) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)),
  );
}

function secrets(published: PublishedSnapshot): string[] {
  const rows = [
    ...published.secrets.active.map((name) => [name, 'ACTIVE']),
    ...published.secrets.warming.map((name) => [name, 'WARMING']),
  ];
  return rows.length === 0 ? ['No active or warming secrets found.'] : table(['RESOURCE NAME', 'STATUS'], rows);
}
