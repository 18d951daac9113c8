// Which VirtualServices a gateway workload sees, per Gateway, in Istio's order, with every name written out in full and
// delegates merged in. Spec virtualservice.md §2 steps 2-6, §3, §15; gateway.md §2.3. Source: istio/istio
// pilot/pkg/model/virtualservice.go, push_context.go (initVirtualServices, VirtualServicesForGateway).
import type { Destination } from '../config/model/common.js';
import type { Resource } from '../config/model/resource.js';
import type { TcpRoute, TlsRoute } from '../config/model/virtual-service.js';
import { type BoundHttpRoute, type DelegateProblem, mergeDelegates, type ResolvedHttp } from './delegates.js';
import type { PushContext } from './push-context.js';

/**
 * A VirtualService as translation sees it. Hosts, destination hosts and gateway names are resolved; everything else is
 * as written. `tls` and `tcp` have the indexes of `resource.spec`, so `resource.at(['spec', 'tls', i])` is an origin.
 */
export interface BoundVirtualService {
  /** The one that names the hosts (of a delegate: the root). */
  readonly resource: Resource<'VirtualService'>;
  readonly name: string;
  readonly namespace: string;
  readonly hosts: readonly string[];
  /** `ns/name`; without `mesh`. */
  readonly gateways: readonly string[];
  /** Namespaces that may see it: names, `*` or `~`; `.` is already its own namespace. */
  readonly exportTo: readonly string[];
  readonly http: readonly BoundHttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
}

interface VirtualServiceIndex {
  readonly all: readonly BoundVirtualService[];
  readonly problems: readonly DelegateProblem[];
  /** All that name the Gateway, visible or not. */
  readonly byGateway: ReadonlyMap<string, readonly BoundVirtualService[]>;
  /** Answers already given. */
  readonly visible: Map<string, readonly BoundVirtualService[]>;
}

/**
 * The VirtualServices bound to the Gateway `namespace/name` that the workload may see, first the most important one:
 * private to the workload's namespace, then exported to it by name, then public; each by age, name, namespace.
 *
 *     virtualServicesForGateway(context, 'infra/edge').map((bound) => bound.hosts);
 */
export function virtualServicesForGateway(context: PushContext, gateway: string): readonly BoundVirtualService[] {
  const index = indexOf(context);
  const known = index.visible.get(gateway);
  if (known !== undefined) return known;
  const workload = context.proxy.namespace;
  const mine: BoundVirtualService[] = [];
  const exported: BoundVirtualService[] = [];
  const open: BoundVirtualService[] = [];
  for (const bound of index.byGateway.get(gateway) ?? []) {
    if (bound.exportTo.includes('*')) open.push(bound);
    else if (bound.exportTo.includes(workload)) (bound.namespace === workload ? mine : exported).push(bound);
  }
  const found = Object.freeze([...mine, ...exported, ...open]);
  index.visible.set(gateway, found);
  return found;
}

/** Every VirtualService with hosts, in Istio's order, whether bound and visible or not. */
export function allVirtualServices(context: PushContext): readonly BoundVirtualService[] {
  return indexOf(context).all;
}

/** What went wrong with delegates, for the diagnostics of routes. */
export function delegateProblems(context: PushContext): readonly DelegateProblem[] {
  return indexOf(context).problems;
}

/** True when the gateway workload may see it (spec §3.3). */
export function isVisible(context: PushContext, bound: BoundVirtualService): boolean {
  return bound.exportTo.includes('*') || bound.exportTo.includes(context.proxy.namespace);
}

const indexes = new WeakMap<PushContext, VirtualServiceIndex>();

function indexOf(context: PushContext): VirtualServiceIndex {
  const known = indexes.get(context);
  if (known !== undefined) return known;
  const problems: DelegateProblem[] = [];
  const all: BoundVirtualService[] = [];
  for (const resource of context.store.all('VirtualService')) {
    if (resource.spec.hosts.length > 0) all.push(bind(context, resource, problems));
  }
  const byGateway = new Map<string, BoundVirtualService[]>();
  for (const bound of all) {
    for (const gateway of new Set(bound.gateways)) {
      const list = byGateway.get(gateway);
      if (list === undefined) byGateway.set(gateway, [bound]);
      else list.push(bound);
    }
  }
  const index: VirtualServiceIndex = { all, problems, byGateway, visible: new Map() };
  indexes.set(context, index);
  return index;
}

function bind(
  context: PushContext,
  resource: Resource<'VirtualService'>,
  problems: DelegateProblem[],
): BoundVirtualService {
  const { spec, metadata } = resource;
  const { namespace } = metadata;
  const domain = context.proxy.domain;
  const merged = mergeDelegates(resolvedHttp(context, resource), {
    find: (ns, name) => findDelegate(context, ns, name),
    problem: (problem) => problems.push(problem),
  });
  return Object.freeze({
    resource,
    name: metadata.name,
    namespace,
    hosts: spec.hosts.map((host) => resolveShortName(host, namespace, domain)),
    gateways: resolveGatewayNames(spec.gateways ?? ['mesh'], namespace).filter((name) => name !== 'mesh'),
    exportTo: exportToOf(context, resource),
    http: merged,
    tls: spec.tls.map((route) => ({
      match: route.match.map((match) => ({ ...match, gateways: resolveGatewayNames(match.gateways, namespace) })),
      route: route.route.map((entry) => ({
        ...entry,
        destination: resolveDestination(entry.destination, namespace, domain),
      })),
    })),
    tcp: spec.tcp.map((route) => ({
      match: route.match.map((match) => ({ ...match, gateways: resolveGatewayNames(match.gateways, namespace) })),
      route: route.route.map((entry) => ({
        ...entry,
        destination: resolveDestination(entry.destination, namespace, domain),
      })),
    })),
  });
}

// Only a VirtualService without hosts can be a delegate (spec §15 item 1).
function findDelegate(context: PushContext, namespace: string, name: string): ResolvedHttp | undefined {
  const found = context.store.get('VirtualService', namespace, name);
  return found !== undefined && found.spec.hosts.length === 0 ? resolvedHttp(context, found) : undefined;
}

function exportToOf(context: PushContext, resource: Resource<'VirtualService'>): readonly string[] {
  const written = resource.spec.exportTo ?? [];
  const effective = written.length > 0 ? written : (context.mesh.defaultVirtualServiceExportTo ?? ['*']);
  return effective.map((entry) => (entry === '.' ? resource.metadata.namespace : entry));
}

// Names are resolved before delegates are merged, so each belongs to the namespace of the object that it stands in
// (spec §2 step 3).
function resolvedHttp(context: PushContext, resource: Resource<'VirtualService'>): ResolvedHttp {
  const { namespace } = resource.metadata;
  const { domain } = context.proxy;
  const http = resource.spec.http.map((route) => ({
    ...route,
    match: route.match.map((match) => ({ ...match, gateways: resolveGatewayNames(match.gateways, namespace) })),
    route: route.route.map((weighted) => ({
      ...weighted,
      destination: resolveDestination(weighted.destination, namespace, domain),
    })),
    ...(route.mirror === undefined ? {} : { mirror: resolveDestination(route.mirror, namespace, domain) }),
    mirrors: route.mirrors.map((mirror) => ({
      ...mirror,
      destination: resolveDestination(mirror.destination, namespace, domain),
    })),
  }));
  return { resource, http, exportTo: exportToOf(context, resource) };
}

function resolveDestination(destination: Destination, namespace: string, domain: string): Destination {
  return { ...destination, host: resolveShortName(destination.host, namespace, domain) };
}

/**
 * The full name of a host of a VirtualService or destination (spec §3.1): only a name without a dot is expanded, so
 * `web.shop` stays what it is and names nothing.
 *
 *     resolveShortName('web', 'shop', 'cluster.local'); // 'web.shop.svc.cluster.local'
 */
export function resolveShortName(host: string, namespace: string, domain: string): string {
  if (host === '' || host === '*' || host.includes('.') || host.includes(':')) return host;
  return `${host}.${namespace}.svc.${domain}`;
}

/** `ns/name` of each gateway that a VirtualService of this namespace names; `mesh` stays (spec §3.2). */
export function resolveGatewayNames(gateways: readonly string[], namespace: string): readonly string[] {
  return gateways.map((gateway) => {
    if (gateway === 'mesh') return gateway;
    const slash = gateway.indexOf('/');
    if (slash !== -1) return slash === 1 && gateway.startsWith('.') ? `${namespace}${gateway.slice(1)}` : gateway;
    if (!gateway.includes('.')) return `${namespace}/${gateway}`;
    // The old form: the second label is the namespace, whatever follows.
    const [name, owner] = gateway.split('.');
    return `${owner}/${name}`;
  });
}
