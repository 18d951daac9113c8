// Every name that istiod generates and that shows in logs, config dumps or on the wire. Nobody else builds one of these
// strings. Spec gateway.md §3.5, §4.1, §11; destinations.md §1.
import { BLACKHOLE, type IstioMetadata, renderSocketAddress } from '../xds/index.js';

/**
 * Cluster of a service port, as access logs print it.
 *
 *     outboundClusterName('web.shop.svc.cluster.local', 80, 'v1'); // 'outbound|80|v1|web.shop.svc.cluster.local'
 */
export function outboundClusterName(hostname: string, port: number, subset = ''): string {
  return `outbound|${port}|${subset}|${hostname}`;
}

/**
 * Cluster and server name of AUTO_PASSTHROUGH, and the SNI that ISTIO_MUTUAL sends upstream.
 *
 *     sniDnatClusterName('web.shop.svc.cluster.local', 80); // 'outbound_.80_._.web.shop.svc.cluster.local'
 */
export function sniDnatClusterName(hostname: string, port: number, subset = ''): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}

/** How istiod notes in a route or cluster which resource it comes from; `kind` as in `virtual-service`. */
export function istioMetadata(
  kind: 'virtual-service' | 'destination-rule',
  { namespace, name }: { readonly namespace: string; readonly name: string },
): IstioMetadata {
  return {
    filter_metadata: { istio: { config: `/apis/networking.istio.io/v1/namespaces/${namespace}/${kind}/${name}` } },
  };
}

const UNIX_PREFIX = 'unix:';

/** True for `bind: unix:///path` and `unix://@abstract`. */
export function isUnixBind(bind: string): boolean {
  return bind.startsWith(UNIX_PREFIX);
}

/** `0.0.0.0_8443`, `127.0.0.3_7001`, `unix:///path_0`; '' as bind is the wildcard address. */
export function listenerName(bind: string, port: number): string {
  return `${bind === '' ? '0.0.0.0' : bind}_${port}`;
}

/** How Envoy prints the address in its messages: `0.0.0.0:8443`, or the path of a unix socket. */
export function listenerAddress(bind: string, port: number): string {
  if (isUnixBind(bind)) return bind.slice(UNIX_PREFIX.length).replace(/^\/\//, '');
  return renderSocketAddress(bind === '' ? '0.0.0.0' : bind, port);
}

/** Route table of every plaintext HTTP server on one resolved port: `http.8080`, `http.8080.127.0.0.3`. */
export function httpRouteName(port: number, bind: string): string {
  return bind === '' ? `http.${port}` : `http.${port}.${bind}`;
}

/** Route table of one HTTPS server; `writtenPort` is the number in the Gateway: `https.443.https.web.istio-system`. */
export function httpsRouteName(
  writtenPort: number,
  portName: string,
  gateway: { readonly name: string; readonly namespace: string },
  bind: string,
): string {
  const name = `https.${writtenPort}.${portName}.${gateway.name}.${gateway.namespace}`;
  return bind === '' ? name : `${name}.${bind}`;
}

/** `shop.example.com:443`, `[fd00::7]:443`; the port is the written one of the first server that provides the host. */
export function virtualHostName(host: string, writtenPort: number): string {
  return renderSocketAddress(host, writtenPort);
}

/** The only virtual host of a route table that has none: `blackhole:443`. */
export function blackholeVirtualHostName(writtenPort: number): string {
  return `${BLACKHOLE}${writtenPort}`;
}

/** Ours: Istio's chains have no name. `shop/edge:https [a.example.com, b.example.com]`, `[*]` for a catch-all chain. */
export function filterChainLabel(gatewayName: string, portName: string, serverNames: readonly string[]): string {
  return `${gatewayName}:${portName} [${serverNames.length === 0 ? '*' : serverNames.join(', ')}]`;
}

/** The parts of a cluster name of either form; `undefined` for any other name. The reverse of the two functions above. */
export function parseClusterName(
  name: string,
): { readonly hostname: string; readonly port: number; readonly subset: string } | undefined {
  const match = /^outbound(?:\|(\d+)\|([^|]*)\||_\.(\d+)_\.(.*?)_\.)(.+)$/.exec(name);
  if (match === null) return undefined;
  return { hostname: match[5] as string, port: Number(match[1] ?? match[3]), subset: match[2] ?? match[4] ?? '' };
}
