// Destinations: services, endpoints, DestinationRules (PST04xx). Spec destinations.md §2, §3, §6.1, §7, §10.3, §14.
import type { MessageType } from './diagnostic.js';

export const DestinationUnknown: MessageType = {
  code: 'PST0401',
  severity: 'warning',
  template: 'no Service or ServiceEntry has the host {host}',
  explanation:
    'A route sends traffic to a host that the registry does not know. The cluster does not exist: requests get 503 with the flag NC, TCP connections are closed.',
};

export const DestinationNotVisible: MessageType = {
  code: 'PST0402',
  severity: 'warning',
  template: '{resource} is not exported to {namespace}, the namespace of the gateway workload',
  explanation:
    'What counts is where the gateway pod runs, not where the VirtualService is. The cluster does not exist: 503 NC.',
};

export const DestinationPortUnknown: MessageType = {
  code: 'PST0403',
  severity: 'warning',
  template: '{host} has no port {port} (it has {ports})',
  explanation:
    'A destination names the port of the Service, never its targetPort; without a port it is the only port of the Service or else the port of the Gateway server. The cluster does not exist: 503 NC.',
};

export const SubsetUnknown: MessageType = {
  code: 'PST0404',
  severity: 'warning',
  template: 'no DestinationRule that counts on this gateway declares the subset {subset} of {host}',
  explanation: 'The cluster of the subset does not exist: requests get 503 with the flag NC.',
};

export const ServiceWithoutEndpoints: MessageType = {
  code: 'PST0405',
  severity: 'warning',
  template: 'cluster {cluster} has no endpoint: {reason}',
  explanation: 'The service is known but nothing stands behind it: requests get 503 "no healthy upstream" (UH).',
};

export const SubsetWithoutEndpoints: MessageType = {
  code: 'PST0406',
  severity: 'warning',
  template: 'cluster {cluster} has no endpoint: no endpoint of the service carries the labels {labels}',
  explanation: 'The subset is declared but selects nothing: requests get 503 "no healthy upstream" (UH).',
};

export const DnsWithoutEndpoints: MessageType = {
  code: 'PST0407',
  severity: 'warning',
  template: 'cluster {cluster} is not built: a DNS service has no endpoint for it',
  explanation:
    'Unlike other services, one with resolution DNS gets no cluster where nothing is selected: requests get 503 NC.',
};

export const EntryWithoutResolution: MessageType = {
  code: 'PST0408',
  severity: 'warning',
  template: 'ServiceEntry {entry} has resolution NONE: on a gateway {host} never has an endpoint',
  explanation:
    'Without a resolution only a sidecar knows where to connect (the address that the client dialled). On a gateway: 503 UH.',
  help: 'set resolution to DNS, or to STATIC with endpoints',
};

export const PassthroughBalancing: MessageType = {
  code: 'PST0409',
  severity: 'warning',
  template: 'loadBalancer.simple PASSTHROUGH leaves {host} without endpoints on a gateway',
  explanation: 'Only a sidecar knows an original destination. On a gateway: 503 UH.',
};

export const RuleWithoutService: MessageType = {
  code: 'PST0410',
  severity: 'warning',
  template: 'DestinationRule {rule} has no effect: no service has the host {host}',
  explanation:
    'A host without a dot stands for a Service in the namespace of the DestinationRule; any other is literal.',
};

export const RuleNotUsed: MessageType = {
  code: 'PST0411',
  severity: 'info',
  template: 'DestinationRule {rule} does not count for {host} on this gateway: {reason}',
  explanation:
    'Looked at are, in this order, rules private to the namespace of the gateway, those of the namespace of the service, those of the root namespace; the first namespace with a matching host ends the search.',
};

export const RulePolicyLost: MessageType = {
  code: 'PST0412',
  severity: 'warning',
  template: '{field} of DestinationRule {rule} is ignored: {first} has one for the same host',
  explanation: 'Rules of one host are merged whole: the first trafficPolicy and the first subset of a name win.',
};

export const OutlierNeverEjects: MessageType = {
  code: 'PST0413',
  severity: 'info',
  template: 'outlierDetection can never eject an endpoint of {host}: {percent} % of {endpoints} is less than one',
  explanation: 'An endpoint is ejected only while the ejected share stays within maxEjectionPercent, 10 by default.',
  help: 'raise maxEjectionPercent',
};

export const GatewayNodeUnknown: MessageType = {
  code: 'PST0801',
  severity: 'warning',
  template: 'endpoints of {host} on every node are used: the node of the gateway is not known',
  explanation:
    'With internalTrafficPolicy Local a gateway gets only the endpoints of the node that its pod runs on; here every endpoint is used.',
  help: 'name the node: --node-metadata NODE_NAME=NAME (nodeMetadata in the library)',
};

export const UpstreamNameUnchecked: MessageType = {
  code: 'PST0414',
  severity: 'info',
  template: 'the name in the certificate of {host} is not checked: sni is set and subjectAltNames is not',
  explanation: 'A written sni switches off the check against the Host of the request; only the chain is verified.',
  help: 'list the expected name in subjectAltNames',
};

export const MutualWithoutCertificate: MessageType = {
  code: 'PST0415',
  severity: 'warning',
  template:
    'failed to apply tls setting for {cluster}: client certificate and private key must not be empty; it is plaintext',
  explanation:
    'A DestinationRule asks for a client certificate that it does not name. istiod then leaves TLS out for this cluster.',
};

export const PodWithoutAddress: MessageType = {
  code: 'PST0416',
  severity: 'warning',
  template: 'Pod {pod} has no status.podIP, so it is no endpoint of {service}',
  explanation: 'A Service picks this Pod, but without an address there is nothing to connect to.',
  help: 'write status.podIP, or map the service with --upstream',
};

export const NoReadyEndpoint: MessageType = {
  code: 'PST0417',
  severity: 'warning',
  template: 'no endpoint of cluster {cluster} is ready',
  explanation: 'Unready endpoints are known but get no traffic: 503 "no healthy upstream" (UH).',
};

export const BadSubstitution: MessageType = {
  code: 'PST0318',
  severity: 'warning',
  template: 'uriRegexRewrite does not do what it says: {reason}',
  explanation:
    'Envoy does not look at the rewrite when it loads the route. A group that the pattern has not turns the rewrite off; a bad escape cuts each replaced text short.',
  help: 'use groups that the pattern has, and \\\\ for a backslash',
};
