// What a probe is: a little YAML with one field in it, and the right value (from the spec) of what the field decides.
// Taking the field's row out of the decoder must change that value; see ../field-mutants.verify.test.ts.
import { loadConfig } from '../../../src/config/load.js';
import type { Kind } from '../../../src/config/model/resource.js';
import { decide } from '../../../src/decide/decide.js';
import type { Call, Decision } from '../../../src/decide/decision.js';
import { collect, type Diagnostic } from '../../../src/diagnostics/diagnostic.js';
import { buildPushContext } from '../../../src/registry/build-push-context.js';
import type { PushContext } from '../../../src/registry/push-context.js';
import { translate } from '../../../src/translate/translate.js';
import {
  type Cluster,
  type Endpoint,
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  type HttpConnectionManager,
  type Listener,
  type Route,
  type RouteAction,
  type Snapshot,
  TCP_PROXY,
  type TcpProxy,
  type VirtualHost,
} from '../../../src/xds/index.js';
import { GATEWAY_PROXY } from '../../support/translation.js';

/** One field of one kind, shown by one configuration. */
export interface Probe {
  readonly kind: Kind | 'MeshConfig';
  /** The fields that it is for, as `listFields` writes them; each row is taken out by itself. */
  readonly paths: readonly string[];
  readonly yaml: string;
  /** MeshConfig beside the YAML. */
  readonly mesh?: string;
  /** The cluster that it looks at where it names none; `WEB` if absent. */
  readonly cluster?: string;
  /** What the field decides. */
  readonly look: (made: Made) => unknown;
  /** Its right value: objects are compared by the keys that are written here, everything else exactly. */
  readonly want: unknown;
}

export const WEB = 'outbound|80||web.apps.svc.cluster.local';
export const V2 = 'outbound|80|v2|web.apps.svc.cluster.local';

/** `Service/apps/web` with an http port and one endpoint; `other` and `api` are as it. */
export const SERVICES: string = ['web', 'other', 'api']
  .map(
    (name, index) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: apps}
spec:
  clusterIP: 10.96.0.${index + 1}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: http-admin, port: 81, targetPort: 8081}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, namespace: apps, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
endpoints: [{addresses: [10.0.${index}.1]}, {addresses: [10.0.${index}.2]}]
ports: [{name: http, port: 8080}, {name: http-admin, port: 8081}]
---`,
  )
  .join('');

/** `Gateway/apps/gw` with one plaintext HTTP server on 8080 for every host. */
export const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: apps}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}
---`;

/** An object of an Istio kind; `spec` is YAML, indented by two more blanks here. */
export function object(kind: string, name: string, spec: string, more = ''): string {
  const slash = name.indexOf('/');
  const namespace = slash === -1 ? 'apps' : name.slice(0, slash);
  return `
apiVersion: networking.istio.io/v1
kind: ${kind}
metadata: {name: ${name.slice(slash + 1)}, namespace: ${namespace}${more}}
spec:
${indent(spec, 2)}
---`;
}

/** Moves every line to the right. */
export function indent(yaml: string, by: number): string {
  return yaml
    .trim()
    .split('\n')
    .map((line) => ' '.repeat(by) + line)
    .join('\n');
}

/** What a configuration became, with words for the parts that probes look at. */
export class Made {
  readonly snapshot: Snapshot;
  readonly context: PushContext;
  readonly diagnostics: readonly Diagnostic[];
  private readonly mainCluster: string;

  constructor({ yaml, mesh, cluster }: Pick<Probe, 'yaml' | 'mesh' | 'cluster'>) {
    this.mainCluster = cluster ?? WEB;
    const meshConfig = mesh === undefined ? undefined : { file: 'mesh.yaml', text: mesh, named: true };
    const loaded = loadConfig([{ file: 'probe.yaml', text: yaml, named: true }], { meshConfig });
    const diagnostics: Diagnostic[] = [...loaded.diagnostics];
    const proxy = {
      ...GATEWAY_PROXY,
      locality: { region: 'eu', zone: 'eu-1', subZone: 'r1' },
      metadata: { NODE_NAME: 'node-1' },
    };
    this.context = buildPushContext(loaded.store, proxy, {
      workloadCertificates: { certificateChain: '', privateKey: '', root: '' },
    });
    this.snapshot = translate(this.context, collect(diagnostics)).snapshot;
    this.diagnostics = diagnostics;
  }

  /** Codes of everything that was reported, once each, in order. */
  get codes(): readonly string[] {
    return [...new Set(this.diagnostics.map(({ code }) => code))];
  }

  listener(name = '0.0.0.0_8080'): Listener | undefined {
    return this.snapshot.listeners.find((entry) => entry.name === name)?.listener;
  }

  /** The chains of the only listener. */
  get chains(): readonly FilterChain[] {
    return this.snapshot.listeners.flatMap((entry) => entry.listener?.filter_chains ?? []);
  }

  get chain(): FilterChain | undefined {
    return this.chains[0];
  }

  /** Of the first chain that has one. */
  get manager(): HttpConnectionManager | undefined {
    for (const filter of this.chains.flatMap(({ filters }) => filters)) {
      if (filter.name === HTTP_CONNECTION_MANAGER) return filter.typed_config;
    }
    return undefined;
  }

  get tcpProxies(): readonly TcpProxy[] {
    const proxies: TcpProxy[] = [];
    for (const filter of this.chains.flatMap(({ filters }) => filters)) {
      if (filter.name === TCP_PROXY) proxies.push(filter.typed_config);
    }
    return proxies;
  }

  /** The TLS context of the first chain that has one. */
  get tls(): NonNullable<FilterChain['transport_socket']>['typed_config'] | undefined {
    return this.chains.find(({ transport_socket }) => transport_socket !== undefined)?.transport_socket?.typed_config;
  }

  get virtualHosts(): readonly VirtualHost[] {
    return this.snapshot.routes.flatMap((table) => table.virtual_hosts);
  }

  /** All routes of all tables, in order. */
  get routes(): readonly Route[] {
    return this.virtualHosts.flatMap(({ routes }) => routes ?? []);
  }

  get route(): Route | undefined {
    return this.routes[0];
  }

  get action(): RouteAction | undefined {
    return this.route?.route;
  }

  /** Names of the clusters that routes lead to, in order. */
  get destinations(): readonly string[] {
    return this.routes.flatMap(({ route }) =>
      route?.cluster !== undefined
        ? [route.cluster]
        : (route?.weighted_clusters?.clusters ?? []).map(({ name }) => name),
    );
  }

  cluster(name = this.mainCluster): Cluster | undefined {
    return this.snapshot.clusters.find((cluster) => cluster.name === name);
  }

  endpoints(name = this.mainCluster): readonly Endpoint[] | undefined {
    return this.snapshot.endpoints[name];
  }

  /** `10.0.0.1:8080` and the like. */
  addresses(name = this.mainCluster): readonly string[] | undefined {
    return this.endpoints(name)?.map(({ address }) => address);
  }

  decide(call: Partial<Call> = {}): Decision {
    return decide(this.snapshot, { port: 8080, tls: 'plaintext', host: 'a.example.com', path: '/', ...call });
  }
}

/** What a probe sees; throws where the configuration cannot be made at all. */
export function lookAt(probe: Probe): unknown {
  return probe.look(new Made(probe));
}

/** Objects by the keys that are wanted (`undefined`: must be absent), everything else exactly. */
export function fits(found: unknown, want: unknown): boolean {
  if (typeof want !== 'object' || want === null) return Object.is(found, want);
  if (typeof found !== 'object' || found === null || Array.isArray(found) !== Array.isArray(want)) return false;
  if (Array.isArray(want) && Array.isArray(found) && found.length !== want.length) return false;
  const there = found as Readonly<Record<string, unknown>>;
  return Object.entries(want).every(([key, value]) => fits(there[key], value));
}
