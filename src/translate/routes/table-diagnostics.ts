// What is wrong with a finished route table: nothing in it, hosts that no request has, patterns that are too large, and
// what Envoy refuses. Spec virtualservice.md §4.1, §17.4; gateway.md §9; dataplane.md §11.
import {
  RedirectHostWithNamespace,
  RegexNearLimit,
  RouteTableRejected,
  RouteTableWithoutHosts,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { OriginTable } from '../../diagnostics/origin.js';
import { compileRegex, MAX_PROGRAM_SIZE } from '../../regex/index.js';
import type { RouteConfiguration } from '../../xds/index.js';
import type { MergedServer } from '../gateway-merge.js';
import { patternsOf, refusalOf } from './acceptance.js';

/** From this share of Envoy's limit on: our count of instructions is not RE2's. */
const NEAR_LIMIT = 0.5;

/** @param servers that share the table */
export function reportTable(
  table: RouteConfiguration,
  servers: readonly MergedServer[],
  origins: OriginTable,
  report: Reporter,
): void {
  const first = servers[0];
  const [host] = table.virtual_hosts;
  if (first !== undefined && host?.routes === undefined && host?.require_tls === undefined) {
    const origin = first.gateway.at(['spec', 'servers', first.index]);
    report(RouteTableWithoutHosts, origin, { route: table.name, port: first.writtenPort });
  }
  reportRedirectHosts(table, servers, report);
  const refusal = refusalOf(table);
  if (refusal !== undefined) {
    const details = { label: `Envoy refuses the whole route table ${table.name}` };
    report(RouteTableRejected, origins.get(refusal.route.originId), { reason: refusal.reason }, details);
  }
  reportLargePatterns(table, origins, report);
}

function reportRedirectHosts(table: RouteConfiguration, servers: readonly MergedServer[], report: Reporter): void {
  const useless = new Set(table.virtual_hosts.flatMap(({ domains }) => domains.filter((name) => name.includes('/'))));
  if (useless.size === 0) return;
  for (const { gateway, index, hosts } of servers) {
    for (const [h, host] of hosts.entries()) {
      // `*/*` among the written hosts leaves one host, and then none with a namespace.
      if (useless.has(host.toLowerCase()))
        report(RedirectHostWithNamespace, gateway.at(['spec', 'servers', index, 'hosts', h]), { host });
    }
  }
}

function reportLargePatterns(table: RouteConfiguration, origins: OriginTable, report: Reporter): void {
  const seen = new Set<string>();
  for (const route of table.virtual_hosts.flatMap(({ routes }) => routes ?? [])) {
    for (const pattern of patternsOf(route)) {
      if (seen.has(pattern)) continue;
      seen.add(pattern);
      const regex = compileRegex(pattern);
      const size = regex.kind === 'regex' ? regex.programSize : 0;
      if (size > MAX_PROGRAM_SIZE * NEAR_LIMIT && size <= MAX_PROGRAM_SIZE)
        report(RegexNearLimit, origins.get(route.originId), { size, limit: MAX_PROGRAM_SIZE });
    }
  }
}
