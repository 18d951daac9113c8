// Messages of the analyzers under istioctl's codes and with its texts (spec validation.md §11, §12; Istio:
// pkg/config/analysis/msg/messages.yaml). IST0106, IST0130, IST0131 and IST0133 stand in webhook-messages.ts.
import type { MessageType } from './diagnostic.js';

export const Deprecated: MessageType = {
  code: 'IST0002',
  severity: 'warning',
  template: 'Deprecated: {detail}',
  explanation: 'The configuration uses something that a later Istio will not have.',
};

export const ReferencedResourceNotFound: MessageType = {
  code: 'IST0101',
  severity: 'error',
  template: 'Referenced {reftype} not found: {refval}',
  explanation:
    'A name leads nowhere: a Gateway, destination host, port or subset of a VirtualService, the Pods of a Gateway selector, or the Secret of a credentialName. Names are looked up as istioctl does it: `reviews.default` is never found, although it works at run time.',
};

export const NamespaceNotInjected: MessageType = {
  code: 'IST0102',
  severity: 'info',
  template:
    "The namespace is not enabled for Istio injection. Run 'kubectl label namespace {namespace} istio-injection=enabled' to enable it, or 'kubectl label namespace {namespace} istio-injection=disabled' to explicitly mark it as not needing injection.",
  explanation: 'Pods of this namespace get no sidecar. Of no consequence for a gateway.',
};

export const PodMissingProxy: MessageType = {
  code: 'IST0103',
  severity: 'warning',
  template:
    'The pod {pod} is missing the Istio proxy. This can often be resolved by restarting or redeploying the workload.',
  explanation: 'The namespace is enabled for injection and the Pod has no container istio-proxy.',
};

export const MisplacedAnnotation: MessageType = {
  code: 'IST0107',
  severity: 'warning',
  template: 'Misplaced annotation: {annotation} can only be applied to {kinds}',
  explanation: 'Istio does not read this annotation on an object of this kind.',
};

export const UnknownAnnotation: MessageType = {
  code: 'IST0108',
  severity: 'warning',
  template: 'Unknown annotation: {annotation}',
  explanation:
    'The annotation has a name of Istio and Istio does not know it. Looked at are Namespaces, Services, Pods and Deployments.',
};

export const ConflictingMeshGatewayVirtualServiceHosts: MessageType = {
  code: 'IST0109',
  severity: 'error',
  template:
    'The VirtualServices {virtualServices} associated with mesh gateway define the same host {host} which can lead to undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.',
  explanation:
    'Sidecars use one VirtualService per host. VirtualServices of an ingress gateway are merged and not compared here.',
};

export const ConflictingSidecarWorkloadSelectors: MessageType = {
  code: 'IST0110',
  severity: 'error',
  template:
    'The Sidecars {sidecars} in namespace {namespace} select the same workload pod {pod}, which can lead to undefined behavior.',
  explanation: 'Two Sidecar resources apply to one Pod. Of no consequence for a gateway.',
};

export const MultipleSidecarsWithoutWorkloadSelectors: MessageType = {
  code: 'IST0111',
  severity: 'error',
  template:
    'The Sidecars {sidecars} in namespace {namespace} have no workload selector, which can lead to undefined behavior.',
  explanation: 'A namespace has more than one default Sidecar. Of no consequence for a gateway.',
};

export const VirtualServiceDestinationPortSelectorRequired: MessageType = {
  code: 'IST0112',
  severity: 'error',
  template:
    'This VirtualService routes to a service {host} that exposes multiple ports {ports}. Specifying a port in the destination is required to disambiguate.',
  explanation:
    'Without a port the destination is the port of the Gateway server, which the service may not have: 503 NC.',
  help: 'add port: {number: …} to the destination',
};

export const DeploymentAssociatedToMultipleServices: MessageType = {
  code: 'IST0116',
  severity: 'warning',
  template:
    'This deployment {deployment} is associated with multiple services using port {port} but different protocols: {services}',
  explanation: 'A workload cannot have one port with two transport protocols.',
};

export const PortNameIsNotUnderNamingConvention: MessageType = {
  code: 'IST0118',
  severity: 'info',
  template:
    "Port name {name} (port: {port}, targetPort: {targetPort}) doesn't follow the naming convention of Istio port.",
  explanation:
    'The name of a Service port says its protocol (`http`, `http-web`, `grpc`, …), unless appProtocol does. A gateway treats such a port as TCP: HTTP features such as HTTP/2 towards it are off.',
};

export const NamespaceMultipleInjectionLabels: MessageType = {
  code: 'IST0123',
  severity: 'warning',
  template:
    'The namespace has more than one type of injection labels {labels}, which may lead to undefined behavior. Make sure only one injection label exists.',
  explanation: 'A namespace has both istio-injection and istio.io/rev. Of no consequence for a gateway.',
};

export const InvalidAnnotation: MessageType = {
  code: 'IST0125',
  severity: 'warning',
  template: 'Invalid annotation {annotation}: {problem}',
  explanation: 'Istio cannot read the value of the annotation.',
};

export const NoMatchingWorkloadsFound: MessageType = {
  code: 'IST0127',
  severity: 'warning',
  template: 'No matching workloads for this resource with the following labels: {labels}',
  explanation: 'An AuthorizationPolicy selects no Pod with a sidecar.',
};

export const NoServerCertificateVerificationDestinationLevel: MessageType = {
  code: 'IST0128',
  severity: 'warning',
  template:
    'DestinationRule {rule} in namespace {namespace} has TLS mode set to {mode} but no caCertificates are set to validate server identity for host: {host}',
  explanation:
    'Nothing says which CA signs the certificate of the destination. Recent Istio verifies against the roots of the operating system then.',
  help: 'set caCertificates or credentialName',
};

export const NoServerCertificateVerificationPortLevel: MessageType = {
  code: 'IST0129',
  severity: 'warning',
  template:
    'DestinationRule {rule} in namespace {namespace} has TLS mode set to {mode} but no caCertificates are set to validate server identity for host: {host} at port {port}',
  explanation: 'The same as IST0128, for the settings of one port.',
  help: 'set caCertificates or credentialName',
};

export const VirtualServiceHostNotFoundInGateway: MessageType = {
  code: 'IST0132',
  severity: 'warning',
  template: 'one or more host {hosts} defined in VirtualService {virtualService} not found in Gateway {gateway}.',
  explanation:
    'No host of the VirtualService fits a host of a server of this Gateway, so the VirtualService does nothing there. Despite the wording one fitting host is enough.',
};

export const ServiceEntryAddressesRequired: MessageType = {
  code: 'IST0134',
  severity: 'warning',
  template: 'ServiceEntry addresses are required for this protocol.',
  explanation: 'A sidecar tells TCP services apart by their addresses. A gateway does not need them.',
};

export const DeprecatedAnnotation: MessageType = {
  code: 'IST0135',
  severity: 'info',
  template: 'Annotation {annotation} has been deprecated{extra} and may not work in future Istio versions.',
  explanation: 'A later Istio will not read this annotation.',
};

export const DeploymentConflictingPorts: MessageType = {
  code: 'IST0137',
  severity: 'warning',
  template:
    'This deployment {deployment} is associated with multiple services {services} using targetPort {targetPort} but different ports: {ports}.',
  explanation: 'Two Services lead to one port of the workload under different numbers.',
};

export const GatewayDuplicateCertificate: MessageType = {
  code: 'IST0138',
  severity: 'warning',
  template: 'Duplicate certificate in multiple gateways {gateways} may cause 404s if clients re-use HTTP2 connections.',
  explanation:
    'A browser that has an HTTP/2 connection to one host uses it for every other host that the certificate covers. The connection belongs to the servers of one Gateway, which answers 404 for the hosts of the other.',
  help: 'put the hosts of one certificate into one Gateway server, or give each Gateway its own certificate',
};

export const IngressRouteRulesNotAffected: MessageType = {
  code: 'IST0140',
  severity: 'warning',
  template: 'Subset in virtual service {other} has no effect on ingress gateway {virtualService} requests',
  explanation:
    'Rules for a service apply to sidecars. A gateway that routes to this service does not read them: it sends requests to all of its endpoints.',
  help: 'name the subset in the destination of the VirtualService of the gateway',
};

export const ConflictingGateways: MessageType = {
  code: 'IST0145',
  severity: 'error',
  template: 'Conflict with gateways {gateways} (workload selector {selector}, port {port}, hosts {hosts}).',
  explanation:
    'Two Gateways of one workload have servers with the same port, host and bind. Only one of them counts where TLS is involved; plain HTTP servers are merged.',
};

export const JwtClaimBasedRoutingWithoutRequestAuthN: MessageType = {
  code: 'IST0149',
  severity: 'error',
  template:
    'The virtual service uses the JWT claim based routing (key: {key}) but found no request authentication for the gateway ({gateway}) pod ({pod}). The request authentication must first be applied for the gateway pods to validate the JWT token and make the claims available for routing.',
  explanation: 'A match on a claim never holds where no RequestAuthentication reads the token.',
};

export const ExternalNameServiceTypeInvalidPortName: MessageType = {
  code: 'IST0150',
  severity: 'warning',
  template:
    'Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched traffic for ports serving TCP protocol from being forwarded correctly',
  explanation: 'A port of an ExternalName Service has a name that says no protocol, or TCP.',
};

export const EnvoyFilterUsesRelativeOperation: MessageType = {
  code: 'IST0151',
  severity: 'warning',
  template:
    'This EnvoyFilter does not have a priority and has a relative patch operation set which can cause the EnvoyFilter not to be applied. Using the INSERT_FIRST of ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly.',
  explanation: 'A patch that depends on others may come before them. postern does not emulate EnvoyFilters.',
};

export const EnvoyFilterUsesReplaceOperationIncorrectly: MessageType = {
  code: 'IST0152',
  severity: 'error',
  template: 'The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.',
  explanation: 'istiod does not apply such a patch.',
};

export const EnvoyFilterUsesAddOperationIncorrectly: MessageType = {
  code: 'IST0153',
  severity: 'error',
  template: 'The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.',
  explanation: 'istiod does not apply such a patch.',
};

export const EnvoyFilterUsesRemoveOperationIncorrectly: MessageType = {
  code: 'IST0154',
  severity: 'error',
  template: 'The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.',
  explanation: 'istiod does not apply such a patch.',
};

export const EnvoyFilterUsesRelativeOperationWithProxyVersion: MessageType = {
  code: 'IST0155',
  severity: 'warning',
  template:
    'This EnvoyFilter does not have a priority and has a relative patch operation (NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and proxyVersion set which can cause the EnvoyFilter not to be applied during an upgrade. Using the INSERT_FIRST or ADD option or setting the priority may help in ensuring the EnvoyFilter is applied correctly.',
  explanation: 'An earlier EnvoyFilter patches the same filter for one version of the proxy only.',
};

export const InvalidGatewayCredential: MessageType = {
  code: 'IST0161',
  severity: 'error',
  template:
    'The credential referenced by the Gateway {gateway} in namespace {namespace} is invalid, which can cause the traffic not to work as expected.',
  explanation:
    'The Secret lacks `tls.crt` and `tls.key` (or `cert` and `key`), its first certificate is not PEM, or it is outside its validity period. Only the first certificate is looked at, and not whether the key belongs to it.',
};

export const GatewayPortNotDefinedOnService: MessageType = {
  code: 'IST0162',
  severity: 'warning',
  template:
    'The gateway is listening on a target port (port {port}) that is not defined in the Service associated with its workload instances (Pod selector {selector}). If you need to access the gateway port through the gateway Service, it will not be available.',
  explanation:
    'No Service leads to this port of the gateway workload. Where the files have no Service for it, the one of the default installation is assumed: 80, 443, 31400 and 15443.',
  help: 'add the port to the Service of the gateway',
};

export const ReferencedInternalGateway: MessageType = {
  code: 'IST0165',
  severity: 'warning',
  template:
    'Gateway reference in VirtualService {virtualService} is to an implementation-generated internal Gateway: {gateway}.',
  explanation: 'istiod makes such Gateways from the Gateway API; their names may change.',
};

export const NegativeConditionStatus: MessageType = {
  code: 'IST0171',
  severity: 'warning',
  template: 'A condition with a negative status is present: type={type}, reason={reason}, message={message}.',
  explanation: 'The status of the object, as a cluster wrote it, says that something did not work.',
};

export const DestinationRuleSubsetNotSelectPods: MessageType = {
  code: 'IST0173',
  severity: 'error',
  template:
    'The Subset {subset} defined in the DestinationRule does not select any pods. Which may lead to 503 UH (NoHealthyUpstream).',
  explanation:
    'No Pod of the files has the labels of the subset. The selector of the Service is not looked at, nor are the endpoints of ServiceEntries.',
};

export const UnknownDestinationRuleHost: MessageType = {
  code: 'IST0174',
  severity: 'warning',
  template: 'The host {host} defined in the DestinationRule does not match any services in the mesh.',
  explanation: 'No Service or ServiceEntry has this host, so the DestinationRule has no effect.',
};

export const ConflictingServiceEntryProtocol: MessageType = {
  code: 'IST0177',
  severity: 'warning',
  template:
    'Multiple ServiceEntries ({entries}) define the same host {host} and port {port} with conflicting protocols ({protocols}).',
  explanation: 'Which protocol counts is undefined; a gateway takes the one of the older entry.',
};
