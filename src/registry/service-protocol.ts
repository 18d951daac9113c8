// The protocol of a Kubernetes Service port, from `appProtocol` or the port's name. On a gateway it decides HTTP/2 or
// not, UDP or not, and the observing mongo filter. Spec destinations.md §4.3. Source: istio/istio
// pkg/config/kube/conversion.go.
import { type Protocol, parseProtocol } from '../config/model/protocol.js';

/** Exact and lower case only; valid in `appProtocol`, never in a port name. */
const KUBERNETES_WORDS: ReadonlyMap<string, Protocol> = new Map([
  ['kubernetes.io/h2c', 'HTTP2'],
  ['kubernetes.io/ws', 'HTTP'],
  ['kubernetes.io/wss', 'HTTPS'],
]);

// SMTP, DNS, MySQL and MongoDB: the server speaks first, so Istio does not sniff there.
const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/** The protocol of a Kubernetes Service port. `appProtocol`, once written, hides the name even if its value is unknown. */
export function protocolOfServicePort(port: {
  readonly port: number;
  readonly protocol: string;
  readonly name?: string;
  readonly appProtocol?: string;
}): Protocol {
  if (port.protocol === 'UDP') return 'UDP';
  const special = port.appProtocol === undefined ? undefined : KUBERNETES_WORDS.get(port.appProtocol);
  if (special !== undefined) return special;
  const protocol = protocolOfName(port.appProtocol ?? port.name ?? '');
  return protocol === 'UnsupportedProtocol' && SERVER_FIRST_PORTS.has(port.port) ? 'TCP' : protocol;
}

function protocolOfName(name: string): Protocol {
  const lower = name.toLowerCase();
  if (lower.startsWith('grpc-web')) return 'GRPC-Web';
  const dash = lower.indexOf('-');
  return parseProtocol(dash === -1 ? lower : lower.slice(0, dash));
}

/** True where Istio speaks HTTP/2 to the upstream because of the port alone (spec destinations.md §9.1 step 2). */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-Web';
}
