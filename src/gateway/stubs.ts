// Stand-ins for services that the files declare but do not place anywhere: an echo upstream per cluster, so that any
// configuration runs with nothing else started. Kept across reloads.

import type { PushContext } from '../registry/push-context.js';
import { type EchoStub, startEchoStub } from '../stub/echo-stub.js';
import { parseClusterName } from '../translate/names.js';
import {
  type Cluster,
  type Endpoint,
  type Snapshot,
  TLS_TRANSPORT_SOCKET,
  UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET,
  type UpstreamTransportSocket,
} from '../xds/index.js';

/** Makes a stub; default: one that listens and echoes. */
export type StartStub = (name: string) => Promise<EchoStub>;

/** The echo stubs of one gateway, by cluster name. */
export class Stubs {
  private readonly running = new Map<string, Promise<EchoStub>>();
  private readonly startStub: StartStub;

  constructor(start: StartStub = (name) => startEchoStub({ name })) {
    this.startStub = start;
  }

  /** Addresses of the stubs of these clusters, started where they do not run yet. */
  async addresses(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const addresses = new Map<string, string>();
    for (const name of names) addresses.set(name, (await this.start(name)).address);
    return addresses;
  }

  /** Stops the stubs of other clusters; for after the snapshot that needed them is gone. */
  async retain(names: readonly string[]): Promise<void> {
    const kept = new Set(names);
    for (const name of this.running.keys()) if (!kept.has(name)) await this.stop(name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.running.keys()].map((name) => this.stop(name)));
  }

  private start(name: string): Promise<EchoStub> {
    let stub = this.running.get(name);
    if (stub === undefined) {
      stub = this.startStub(name);
      this.running.set(name, stub);
      // Whoever asked hears of the failure; the next one tries again.
      stub.catch(() => this.running.delete(name));
    }
    return stub;
  }

  private async stop(name: string): Promise<void> {
    const stub = this.running.get(name);
    this.running.delete(name);
    await (await stub?.catch(() => undefined))?.close();
  }
}

/** Gives an address of loopback at each call, a new one each time: for what is configured and never dialled. */
export function placeholderAddresses(): () => string {
  let port = 0;
  return () => `127.0.0.1:${++port}`;
}

/** Stubs that listen nowhere, for decisions without a socket. `place`: gives each its address. */
export function silentStubs(place: () => string = placeholderAddresses()): Stubs {
  return new Stubs(async (name) => ({ name, address: place(), close: async () => {} }));
}

/** Names of the clusters that a stub has to stand in for: those that have no local address. */
export function findStubbed(snapshot: Snapshot, context: PushContext): readonly string[] {
  return snapshot.clusters.filter((cluster) => needsStub(cluster, snapshot, context)).map(({ name }) => name);
}

/** The snapshot with stubs as the endpoints of these clusters. */
export function withStubs(snapshot: Snapshot, addresses: ReadonlyMap<string, string>): Snapshot {
  if (addresses.size === 0) return snapshot;
  const clusters = snapshot.clusters.map((cluster) => (addresses.has(cluster.name) ? plaintext(cluster) : cluster));
  return withStubAddresses({ ...snapshot, clusters }, addresses);
}

/** The same for a snapshot that has stubs already, of which the addresses were not known. */
export function withStubAddresses(snapshot: Snapshot, addresses: ReadonlyMap<string, string>): Snapshot {
  if (addresses.size === 0) return snapshot;
  const endpoints: Record<string, readonly Endpoint[]> = { ...snapshot.endpoints };
  for (const [name, address] of addresses)
    endpoints[name] = [{ address, weight: 1, locality: {}, priority: 0, health: 'HEALTHY', tlsMode: 'disabled' }];
  return { ...snapshot, endpoints };
}

// A service with endpoints of its own keeps them, also a subset of it that selects none (503 UH, as in Istio). One for
// which the files show nothing at all gets a stub.
function needsStub(cluster: Cluster, snapshot: Snapshot, context: PushContext): boolean {
  if (cluster.type !== 'EDS' || (snapshot.endpoints[cluster.name] ?? []).length > 0) return false;
  const name = parseClusterName(cluster.name);
  const service = name === undefined ? undefined : context.service(name.hostname);
  if (service === undefined) return false;
  if (service.ports.some((port) => context.endpoints(service, port).length > 0)) return false;
  if (service.resource?.kind !== 'Service') return true;
  const { namespace, name: serviceName } = service.resource.metadata;
  const isOurs = (labels: Readonly<Record<string, string>>): boolean =>
    labels['kubernetes.io/service-name'] === serviceName;
  return (
    context.store.get('Endpoints', namespace, serviceName) === undefined &&
    !context.store
      .all('EndpointSlice')
      .some((slice) => slice.metadata.namespace === namespace && isOurs(slice.metadata.labels))
  );
}

// A stub speaks what the client speaks, so TLS that a DestinationRule originates would only be in its way.
function plaintext(cluster: Cluster): Cluster {
  const { transport_socket: _socket, transport_socket_matches: _matches, ...rest } = cluster;
  return rest;
}

/** A snapshot in which any certificate of an upstream is good; SNI, ALPN and our own certificate stay what they are. */
export function withoutUpstreamChecks(snapshot: Snapshot): Snapshot {
  const clusters = snapshot.clusters.map((cluster) => {
    const { transport_socket: socket, transport_socket_matches: matches } = cluster;
    return {
      ...cluster,
      ...(socket === undefined ? {} : { transport_socket: withoutChecks(socket) }),
      ...(matches === undefined
        ? {}
        : {
            transport_socket_matches: matches.map((match) => ({
              ...match,
              transport_socket: withoutChecks(match.transport_socket),
            })),
          }),
    };
  });
  return { ...snapshot, clusters };
}

function withoutChecks(socket: UpstreamTransportSocket): UpstreamTransportSocket {
  if (socket.name === UPSTREAM_PROXY_PROTOCOL_TRANSPORT_SOCKET) {
    const { transport_socket, ...rest } = socket.typed_config;
    return { ...socket, typed_config: { ...rest, transport_socket: withoutChecks(transport_socket) } };
  }
  if (socket.name !== TLS_TRANSPORT_SOCKET) return socket;
  const { combined_validation_context: _checks, ...context } = socket.typed_config.common_tls_context;
  return {
    ...socket,
    typed_config: { ...socket.typed_config, common_tls_context: { ...context, validation_context: {} } },
  };
}
