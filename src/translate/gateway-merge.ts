// All Gateways that select the workload, merged port by port: which servers survive, in which listener, under which
// route table. Spec gateway.md §2.1, §4.1-4.3, §5.1.
import type { Server } from '../config/model/gateway.js';
import { labelsMatch } from '../config/model/labels.js';
import type { Resource } from '../config/model/resource.js';
import { compareText } from '../config/text-order.js';
import {
  ServerConflict,
  ServerDuplicateHosts,
  ServerPortNameNotUnique,
  ServerWithoutRouteName,
} from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import { gatewayPortResolver } from '../registry/gateway-ports.js';
import type { PushContext } from '../registry/push-context.js';
import { httpRouteName, httpsRouteName } from './names.js';
import {
  isHttpServer,
  isPlainHttpServer,
  isTerminatedHttpsServer,
  isTlsServer,
  serverProtocolClass,
} from './server-protocol.js';

/** One server that survived, with everything that merging decided about it. */
export interface MergedServer {
  readonly gateway: Resource<'Gateway'>;
  /** `namespace/name` of the Gateway, the form that VirtualServices are bound by. */
  readonly gatewayName: string;
  readonly server: Server;
  /** Index in `spec.servers`: `gateway.at(['spec', 'servers', index])` is its origin. */
  readonly index: number;
  /** Rewritten (spec gateway.md §5.1): `h`, or `ns/h` where only VirtualServices of that namespace count. */
  readonly hosts: readonly string[];
  /** SNI hosts, sorted, without namespaces; contains `*` for a catch-all. Empty unless `server.tls` is set. */
  readonly serverNames: readonly string[];
  /** P: the port that is listened on. */
  readonly port: number;
  /** N: the number in the Gateway, which `match.port` and virtual host names use. */
  readonly writtenPort: number;
  /** '' when none is written. */
  readonly bind: string;
  /** '' for everything that is not HTTP. */
  readonly routeName: string;
}

/** Servers that share (P, protocol word, bind); groups with the same P and bind share a listener. */
export interface MergedPort {
  readonly port: number;
  /** As written by the first server. */
  readonly protocol: string;
  readonly bind: string;
  readonly servers: readonly MergedServer[];
}

/** All servers of the workload, by the listener that they share. */
export interface MergedGateways {
  /** In order of first appearance. */
  readonly ports: readonly MergedPort[];
  /** Servers of each route table in merge order; the first one lends its port number where only one fits. */
  readonly serversByRoute: ReadonlyMap<string, readonly MergedServer[]>;
  /**
   * Their presence turns on the `outbound_.…` clusters for every service. Holds those too that a port conflict dropped:
   * istiod takes note before it drops.
   */
  readonly autoPassthrough: readonly MergedServer[];
}

/**
 * Merges the Gateways that select the emulated workload, in Istio's order: creationTimestamp, name, namespace.
 *
 *     mergeGateways(context, report).ports[0]; // { port: 8443, protocol: 'HTTPS', bind: '', servers: [ … ] }
 *
 * A server that Istio would skip is reported with istiod's line and is in no part of the result.
 */
export function mergeGateways(context: PushContext, report: Reporter): MergedGateways {
  const { store, proxy } = context;
  const resolvePort = gatewayPortResolver(store, proxy);
  const merge = new GatewayMerge(report);
  for (const gateway of store.all('Gateway')) {
    // No selector picks every gateway workload, whatever its namespace (spec gateway.md §2.1).
    if (!labelsMatch(gateway.spec.selector, proxy.labels)) continue;
    gateway.spec.servers.forEach((server, index) => {
      merge.add(describeServer(gateway, server, index, resolvePort(server.port.number)));
    });
  }
  return merge.result();
}

/** Hosts as merging and binding compare them (spec gateway.md §5.1). */
export function rewriteHosts(hosts: readonly string[], gatewayNamespace: string): readonly string[] {
  const rewritten: string[] = [];
  for (const host of hosts) {
    const slash = host.indexOf('/');
    if (slash === -1) {
      rewritten.push(host);
      continue;
    }
    const namespace = host.slice(0, slash);
    const name = host.slice(slash + 1);
    if (namespace === '.') rewritten.push(`${gatewayNamespace}/${name}`);
    else if (namespace !== '*') rewritten.push(host);
    // `*/*` swallows every other entry of the list.
    else if (name === '*') return ['*'];
    else rewritten.push(name);
  }
  return rewritten;
}

/** The part after `/`, without duplicates, sorted. */
export function serverNamesOf(hosts: readonly string[]): readonly string[] {
  const names = new Set<string>();
  for (const host of hosts) names.add(host.slice(host.indexOf('/') + 1));
  return [...names].sort(compareText);
}

function describeServer(gateway: Resource<'Gateway'>, server: Server, index: number, port: number): MergedServer {
  const { name, namespace } = gateway.metadata;
  const hosts = rewriteHosts(server.hosts, namespace);
  const bind = server.bind ?? '';
  return {
    gateway,
    gatewayName: `${namespace}/${name}`,
    server,
    index,
    hosts,
    serverNames: server.tls === undefined ? [] : serverNamesOf(hosts),
    port,
    writtenPort: server.port.number,
    bind,
    routeName: routeNameOf(gateway, server, port, bind),
  };
}

function routeNameOf(gateway: Resource<'Gateway'>, server: Server, port: number, bind: string): string {
  if (isPlainHttpServer(server)) return httpRouteName(port, bind);
  if (!isTerminatedHttpsServer(server)) return '';
  return httpsRouteName(server.port.number, server.port.name, gateway.metadata, bind);
}

interface PortGroup {
  readonly port: number;
  readonly protocol: string;
  readonly bind: string;
  readonly servers: MergedServer[];
}

/** The state of spec gateway.md §4.2; step numbers in comments are the spec's. */
class GatewayMerge {
  private readonly report: Reporter;
  private readonly seen = new Set<number>();
  /** The last registered plaintext server of each port. */
  private readonly plain = new Map<number, PortGroup>();
  private readonly groups = new Map<string, PortGroup>();
  private readonly byRoute = new Map<string, MergedServer[]>();
  private readonly tlsHosts = new Map<number, Map<string, string>>();
  private readonly autoPassthrough: MergedServer[] = [];

  constructor(report: Reporter) {
    this.report = report;
  }

  add(merged: MergedServer): void {
    const { server, port, bind } = merged;
    if (serverProtocolClass(server.port.protocol) === 'unsupported') return; // the webhook has refused the Gateway
    if (server.tls !== undefined && !this.claimHosts(merged)) return; // step 3
    const current = this.plain.get(port);
    if (!this.seen.has(port)) {
      this.seen.add(port);
      this.register(merged); // step 4
    } else if (current === undefined) {
      this.addBesideTls(merged); // step 6
    } else if (current.bind !== bind) {
      this.register(merged); // step 5d
    } else {
      this.addBesidePlaintext(merged, current); // step 5b, c, e
    }
  }

  result(): MergedGateways {
    return {
      ports: [...this.groups.values()],
      serversByRoute: this.byRoute,
      autoPassthrough: this.autoPassthrough,
    };
  }

  /** Step 3. A server dropped here burns none of its hosts; one dropped later has burnt them all. */
  private claimHosts(merged: MergedServer): boolean {
    const claimed = this.tlsHosts.get(merged.port) ?? new Map<string, string>();
    this.tlsHosts.set(merged.port, claimed);
    const duplicates = merged.hosts.filter((host) => claimed.get(host) === merged.bind);
    if (duplicates.length > 0) {
      this.report(ServerDuplicateHosts, merged.gateway.at(['spec', 'servers', merged.index, 'hosts']), {
        gateway: merged.gatewayName,
        hosts: duplicates.join(' '),
      });
      return false;
    }
    for (const host of merged.hosts) claimed.set(host, merged.bind);
    if (merged.server.tls?.mode === 'AUTO_PASSTHROUGH') this.autoPassthrough.push(merged);
    return true;
  }

  private addBesideTls(merged: MergedServer): void {
    if (isTerminatedHttpsServer(merged.server) && this.byRoute.has(merged.routeName)) {
      this.drop(ServerPortNameNotUnique, merged);
      return;
    }
    this.register(merged);
  }

  private addBesidePlaintext(merged: MergedServer, current: PortGroup): void {
    const mergeable =
      serverProtocolClass(current.protocol) === 'http' && serverProtocolClass(merged.server.port.protocol) === 'http';
    if (!mergeable) {
      this.drop(ServerConflict, merged);
      return;
    }
    if (merged.routeName === '') {
      this.drop(ServerWithoutRouteName, merged);
      return;
    }
    current.servers.push(merged);
    this.addToRoute(merged);
  }

  private register(merged: MergedServer): void {
    const { server, port, bind } = merged;
    const key = `${port} ${bind} ${server.port.protocol}`;
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { port, protocol: server.port.protocol, bind, servers: [] };
      this.groups.set(key, group);
      if (!isTlsServer(server)) this.plain.set(port, group);
    }
    group.servers.push(merged);
    if (isHttpServer(server)) this.addToRoute(merged);
  }

  private addToRoute(merged: MergedServer): void {
    if (merged.routeName === '') return;
    const servers = this.byRoute.get(merged.routeName);
    if (servers === undefined) this.byRoute.set(merged.routeName, [merged]);
    else servers.push(merged);
  }

  private drop(
    type: typeof ServerConflict | typeof ServerPortNameNotUnique | typeof ServerWithoutRouteName,
    merged: MergedServer,
  ): void {
    const { gateway, server, port, index } = merged;
    this.report(type, gateway.at(['spec', 'servers', index, 'port']), {
      gateway: gateway.metadata.name,
      portName: server.port.name,
      port,
      protocol: server.port.protocol,
    });
  }
}
