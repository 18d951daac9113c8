// Certificates that cover hosts of another server on the same port: HTTP/2 clients reuse the connection, and the route
// table of the connection does not know those hosts. IST0138 compares names of Secrets; this compares certificates with
// route tables. Spec gateway.md §14.1.
import type { X509Certificate } from 'node:crypto';
import { sampleHost } from '../../decide/certificate-facts.js';
import { reusedHosts } from '../../decide/connection-reuse.js';
import { ConnectionReuse } from '../../diagnostics/catalogue.js';
import { VirtualHostIndex } from '../../match/virtual-host-index.js';
import { isBlackhole, type VirtualHost } from '../../xds/index.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';
import { fullName } from '../selector.js';
import { namesOf, parseChain } from './pem-chain.js';
import { credentialField, shownName, type TlsChain, tlsChains } from './tls-chains.js';

interface Candidate extends TlsChain {
  readonly certificate: X509Certificate;
  readonly routeTable: string;
}

export const connectionReuse: GatewayAnalyzer = {
  name: 'postern.connectionReuse',
  description: 'Finds certificates that cover hosts of another server, which breaks reused HTTP/2 connections',
  inputs: ['Gateway'],
  messages: [ConnectionReuse],
  analyze(context) {
    const byListener = new Map<string, Candidate[]>();
    for (const chain of tlsChains(context)) {
      const candidate = toCandidate(context, chain);
      if (candidate === undefined) continue;
      const known = byListener.get(chain.listener);
      if (known === undefined) byListener.set(chain.listener, [candidate]);
      else known.push(candidate);
    }
    for (const candidates of byListener.values()) checkListener(context, candidates);
  },
};

/** Chains that serve HTTP/2 with a certificate that can be read. */
function toCandidate(context: GatewayAnalysisContext, chain: TlsChain): Candidate | undefined {
  const { routeTable } = chain;
  const name = chain.certificates[0];
  const protocols = chain.chain.transport_socket?.typed_config.common_tls_context.alpn_protocols ?? [];
  if (routeTable === undefined || name === undefined || !protocols.includes('h2')) return undefined;
  const material = context.gateway.push.credential(name);
  const certificate = material.kind === 'certificate' ? parseChain(material.certificateChain)[0] : undefined;
  return certificate === undefined ? undefined : { ...chain, certificate, routeTable };
}

function checkListener(context: GatewayAnalysisContext, candidates: readonly Candidate[]): void {
  const byHost = new Map<string, Candidate>();
  for (const candidate of candidates) for (const host of candidate.serverNames) byHost.set(host, candidate);
  const tables = new Map(context.gateway.snapshot.routes.map((table) => [table.name, table]));
  const indexes = new Map<string, VirtualHostIndex<VirtualHost>>();
  const indexOf = (name: string): VirtualHostIndex<VirtualHost> => {
    let index = indexes.get(name);
    if (index === undefined) {
      const table = tables.get(name);
      index = new VirtualHostIndex(table?.virtual_hosts ?? [], table?.ignore_port_in_host_matching === true);
      indexes.set(name, index);
    }
    return index;
  };
  for (const candidate of candidates) {
    // One example says it; the pairs of many servers would bury everything else.
    const [first] = lostHosts(candidate, byHost, indexOf);
    if (first === undefined) continue;
    const [other, hosts] = first;
    context.report(ConnectionReuse, credentialField(candidate), {
      credential: shownName(candidate.certificates[0] ?? ''),
      hosts: hosts.join(', '),
      other: describeServer(other),
    });
  }
}

/** Hosts that other servers serve, that the candidate's certificate covers and its route table does not serve, by server. */
function lostHosts(
  { certificate, routeTable }: Candidate,
  byHost: ReadonlyMap<string, Candidate>,
  indexOf: (routeTable: string) => VirtualHostIndex<VirtualHost>,
): ReadonlyMap<Candidate, readonly string[]> {
  // A certificate for its own hosts and nothing else needs no second look.
  const names = namesOf(certificate);
  const hasWildcard = names.some((name) => name.startsWith('*'));
  const entries = hasWildcard ? [...byHost] : names.flatMap((name) => entryOf(byHost, name));
  const others = entries.filter(([, other]) => other.routeTable !== routeTable);
  const reused = reusedHosts(
    { certificate, findVirtualHost: (authority) => indexOf(routeTable).find(authority) },
    others,
  );
  const lost = new Map<Candidate, string[]>();
  for (const { host, other, isServed } of reused) {
    // A host that has no rules of its own, either, loses nothing.
    const own = indexOf(other.routeTable).find(sampleHost(host));
    if (!isServed && own !== undefined && !isBlackhole(own)) lost.set(other, [...(lost.get(other) ?? []), host]);
  }
  return lost;
}

function entryOf(byHost: ReadonlyMap<string, Candidate>, name: string): readonly (readonly [string, Candidate])[] {
  const other = byHost.get(name);
  return other === undefined ? [] : [[name, other]];
}

function describeServer({ gateway, server }: Candidate): string {
  const port = server.get('port', 'name').text();
  return `server ${port} of Gateway ${fullName(gateway)}`;
}
