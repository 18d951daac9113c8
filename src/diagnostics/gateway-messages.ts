// Gateways, listeners and Secrets (PST02xx): istiod's and Envoy's own lines. Spec gateway.md §4.2, §4.4, §4.6, §8.5, §8.6.
import type { MessageType } from './diagnostic.js';

export const ServerDuplicateHosts: MessageType = {
  code: 'PST0201',
  severity: 'warning',
  template: 'skipping server on gateway {gateway}, duplicate host names: [{hosts}]',
  explanation:
    'Two servers on one port have a TLS host in common (also plaintext servers with httpsRedirect count). istiod keeps the earlier server (creationTimestamp, then name, then namespace of the Gateway) and drops the later one whole, with its other hosts.',
  help: 'every TLS host may stand in one server of a port; the earlier server keeps it',
};

export const ServerConflict: MessageType = {
  code: 'PST0202',
  severity: 'warning',
  template:
    'skipping server on gateway {gateway} port {portName}.{port}.{protocol}: conflict with existing server {port}.{protocol}',
  explanation:
    'One port cannot be plaintext HTTP and something else, or TCP twice, once a plaintext server is there. istiod drops the later server with all of its hosts.',
  help: 'give the server another port or bind, or let the TLS servers come first',
};

export const ServerWithoutRouteName: MessageType = {
  code: 'PST0203',
  severity: 'warning',
  template:
    'skipping server on gateway {gateway} port {portName}.{port}.{protocol}: could not build RDS name from server',
  explanation: 'A server that is not HTTP comes to a port that plaintext HTTP servers share; istiod drops it.',
};

export const ServerPortNameNotUnique: MessageType = {
  code: 'PST0204',
  severity: 'warning',
  template:
    'skipping server on gateway {gateway} port {portName}.{port}.{protocol}: non unique port name for HTTPS port',
  explanation:
    'Two HTTPS servers of one Gateway have the same port number and port name, so that they would share a route table; istiod drops the later one.',
  help: 'give the ports different names',
};

export const ListenerWithoutChains: MessageType = {
  code: 'PST0205',
  severity: 'warning',
  template: 'gateway omitting listener "{listener}" due to: must have more than 0 chains in listener "{listener}"',
  explanation: 'No server of this port has a route, so istiod sends no listener and connections are refused.',
};

export const ServerWithoutNetworkFilter: MessageType = {
  code: 'PST0206',
  severity: 'warning',
  template: 'gateway {gateway}:{port} listener missed network filter',
  explanation:
    'A TCP or TLS server has no route of a VirtualService that fits its hosts and port: there is no filter chain for it. Connections are refused, or reset where the port has other servers. `http` routes never count here; a passthrough server needs `tls` routes, every other one `tcp` routes.',
};

export const PassthroughDuplicateSniHosts: MessageType = {
  code: 'PST0207',
  severity: 'warning',
  template:
    'skipping VirtualService {virtualService} rule #{rule} on server port {port} of gateway {gateway}, duplicate SNI host names: [{hosts}]',
  explanation:
    'An SNI host of this match is already open on the same port, so istiod skips the whole match, with its other names.',
  help: 'one taken name skips the whole match; give the other names a match of their own',
};

export const PrivilegedPortSkipped: MessageType = {
  code: 'PST0208',
  severity: 'warning',
  template: 'skipping privileged gateway port {port} as it is an unprivileged pod',
  explanation:
    'The gateway pod may not bind ports below 1024 (node metadata UNPRIVILEGED_POD), so istiod sends no listener for this one.',
};

export const ListenerRejected: MessageType = {
  code: 'PST0209',
  severity: 'warning',
  template: "listener '{listener}' config rejected: {reason}",
  explanation:
    'istiod sends this listener and Envoy refuses it: on a fresh gateway the whole port is closed, on a running one the previous listener stays.',
  help: 'every server of this port is affected, not only the one that is wrong',
};

export const CredentialMissing: MessageType = {
  code: 'PST0210',
  severity: 'warning',
  template: '{reason}',
  explanation:
    'istiod cannot answer for a Secret or ConfigMap that the gateway asks for (the text is its log line). Connections to the hosts of that server are reset right after the ClientHello; other hosts of the port work. Secrets are looked up in the namespace of the gateway pod, never in that of the Gateway.',
};

export const SecretRejected: MessageType = {
  code: 'PST0211',
  severity: 'warning',
  template: 'gRPC config for type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret rejected: {reason}',
  explanation:
    'Envoy refuses the material of a Secret (the text is its log line). Connections to the hosts of that server are reset right after the ClientHello.',
};

export const NoSecretAvailable: MessageType = {
  code: 'PST0212',
  severity: 'warning',
  template:
    'gRPC config: initial fetch timed out for type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  explanation:
    'Envoy waited for this Secret until its initial fetch timed out. A fresh gateway none of whose Secrets arrive keeps every port closed for those 15 seconds; after that the hosts of the server are reset and everything else works.',
};

export const ConnectionSettingNotEmulated: MessageType = {
  code: 'PST0213',
  severity: 'warning',
  template: 'connectionSettings.{setting} is set by the profile EDGE and not emulated: it has no effect here',
  explanation: 'A value that the profile of ProxyConfig.connectionSettings brings along. The real gateway applies it.',
};

export const TlsAlgorithmUnavailable: MessageType = {
  code: 'PST0215',
  severity: 'warning',
  template: '{field}: {name} is left out where the OpenSSL of this Node does not have it',
  explanation:
    'Envoy brings its own BoringSSL, postern uses what comes with Node. Without the algorithm clients that insist on it are refused here.',
};

export const NoVirtualServiceBound: MessageType = {
  code: 'PST0214',
  severity: 'warning',
  template: 'no virtual service bound to gateway: {gateway}',
  explanation:
    'The server needs a route (`tcp` or `tls`) and no VirtualService that the gateway may see is bound to its Gateway.',
  help: 'bind one with `gateways: [NAMESPACE/NAME]`',
};
