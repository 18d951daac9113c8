// Messages of postern's own analyzers (PST13xx): what istioctl has no words for.
import type { MessageType } from './diagnostic.js';

export const CertificateHostMismatch: MessageType = {
  code: 'PST1301',
  severity: 'warning',
  template: 'the certificate {credential} does not cover {hosts} (it covers {names})',
  explanation:
    'Clients that ask for one of these hosts get a certificate for other names and end the connection. The gateway itself does not compare the two.',
  help: 'issue the certificate for these hosts too',
};

export const CertificateOutOfDate: MessageType = {
  code: 'PST1302',
  severity: 'warning',
  template: 'the certificate {credential} {problem}',
  explanation:
    'Clients do not accept a certificate outside its validity period; the gateway serves it all the same. Only a certificate that is in the files can be judged.',
  help: 'renew it',
};

export const CertificateEndsSoon: MessageType = {
  code: 'PST1303',
  severity: 'info',
  template: 'the certificate {credential} ends on {date}, in {days} days',
  explanation: 'Less than 14 days are left of the validity period.',
};

export const CertificateKeyMismatch: MessageType = {
  code: 'PST1304',
  severity: 'warning',
  template: 'the private key of {credential} does not belong to its certificate',
  explanation:
    'Envoy refuses the pair (KEY_VALUES_MISMATCH), and connections to the hosts of the server are reset. istioctl does not compare the two.',
  help: 'put the key into the Secret that the certificate was issued for',
};

export const ClientCaMissing: MessageType = {
  code: 'PST1305',
  severity: 'warning',
  template: 'mode {mode} has no CA to verify clients with: {reason}',
  explanation:
    'A server that asks for client certificates needs `ca.crt` (or `cacert`) in its Secret, or a Secret of the same name with `-cacert` behind it. Without one its connections are reset. istioctl does not look for it.',
  help: 'add ca.crt to the Secret, or create the Secret NAME-cacert',
};

export const CertificateSelfSigned: MessageType = {
  code: 'PST1306',
  severity: 'info',
  template: 'the certificate {credential} is signed by itself: clients have to trust it one by one',
  explanation: 'No CA stands behind the certificate, so that no client accepts it without being told to.',
};

export const CertificateChainBroken: MessageType = {
  code: 'PST1307',
  severity: 'warning',
  template: 'certificate {position} in the chain of {credential} ({subject}) is not signed by the next one ({issuer})',
  explanation:
    'The gateway sends the chain as it is. Clients that do not have the missing certificate themselves cannot verify it.',
  help: 'put the certificates in order: the server certificate first, then each one that signed the one before',
};

export const RouteShadowed: MessageType = {
  code: 'PST1310',
  severity: 'warning',
  template: '{route} never matches: {shadow} takes every such request first',
  explanation:
    'Rules are tried in order, and the first one that fits answers; rules of several VirtualServices for one host are merged, the older VirtualService first. Whatever this rule describes fits an earlier one.',
  help: 'put the more specific rule first',
};

export const VirtualServicesMerged: MessageType = {
  code: 'PST1311',
  severity: 'info',
  template: 'the rules of {virtualServices} for {host} on Gateway {gateway} are merged in this order',
  explanation:
    'A gateway has one list of rules per host. Those of the older VirtualService come first, then the name decides, then the namespace; files without creationTimestamp are equally old, so that a cluster may have another order. Rules without a match go to the end.',
};

export const GatewayOfOtherWorkload: MessageType = {
  code: 'PST1312',
  severity: 'info',
  template: 'Gateway {gateway} is not for the emulated gateway: its selector {selector} does not fit {labels}',
  explanation:
    'The selector of a Gateway picks the pods that serve it. The emulated pod has other labels, so that its servers and the VirtualServices bound to it do nothing here.',
  help: 'emulate that workload: --gateway-label KEY=VALUE',
};

export const VirtualServiceOfOtherWorkload: MessageType = {
  code: 'PST1313',
  severity: 'info',
  template:
    'VirtualService {virtualService} does nothing on the emulated gateway: {gateways} belong to other workloads',
  explanation: 'Every Gateway that the VirtualService is bound to selects other pods.',
  help: 'emulate that workload: --gateway-label KEY=VALUE',
};

export const ConnectionReuse: MessageType = {
  code: 'PST1314',
  severity: 'warning',
  template:
    'the certificate {credential} covers {hosts} of {other} too: browsers that reuse an HTTP/2 connection get 404 there',
  explanation:
    'A browser that has an HTTP/2 connection uses it for every host that its certificate covers and that has the same address. The filter chain was chosen by the name that the connection began with, and its route table knows nothing of the other hosts.',
  help: 'serve these hosts by one Gateway server, or give them certificates of their own',
};

export const AutoPassthroughWithoutService: MessageType = {
  code: 'PST1315',
  severity: 'warning',
  template: 'AUTO_PASSTHROUGH host {host} fits no service',
  explanation:
    'The hosts of such a server select services of the mesh: there is one filter chain per service port. External services never count.',
};

export const AutoPassthroughWithoutEndpoint: MessageType = {
  code: 'PST1316',
  severity: 'warning',
  template: 'AUTO_PASSTHROUGH host {host} leads to {service}, none of whose endpoints has a sidecar',
  explanation:
    'The gateway passes mutual TLS of the mesh through unopened, so that only endpoints with a sidecar can answer.',
};

export const DestinationStoodIn: MessageType = {
  code: 'PST1317',
  severity: 'info',
  template: 'nothing in the files says where {host} runs: postern run answers from an echo stub',
  explanation:
    'The service is known, and no Pod, EndpointSlice or ServiceEntry gives it an address. In a cluster the endpoints are there; here --upstream can name a real one.',
  help: '--upstream {host}=127.0.0.1:PORT',
};
