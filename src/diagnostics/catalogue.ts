// Every message that postern can give, by code. Codes are Istio's where Istio has one (IST####), PST#### for ours; a
// code is never reused.
import type { MessageType } from './diagnostic.js';

export * from './analysis-messages.js';
export * from './own-messages.js';

// --- Loading (PST01xx): YAML, Kubernetes objects, structure. Texts of the API server. Spec validation.md §7, §8.

export const YamlSyntax: MessageType = {
  code: 'PST0101',
  severity: 'error',
  template: 'error converting YAML to JSON: {reason}',
  explanation:
    'The document is not YAML (or JSON) that kubectl could read. The other documents of the file are still read.',
};

export const YamlDuplicateKey: MessageType = {
  code: 'PST0102',
  severity: 'warning',
  template: 'key "{key}" already set in map (line {firstLine}); the last one counts',
  explanation:
    'The same key stands twice in one map. kubectl sends the last one without a word, as postern uses it; istioctl validate refuses the file.',
  help: 'remove one of the two',
};

export const NotAnObject: MessageType = {
  code: 'PST0103',
  severity: 'error',
  template: 'the document is no Kubernetes object: {reason}',
  explanation:
    'A document that was named on the command line, or that looks like one of the kinds postern reads, lacks apiVersion or kind.',
  help: 'every object begins with apiVersion and kind',
};

export const ContractNamedAsConfiguration: MessageType = {
  code: 'PST0104',
  severity: 'error',
  template: 'this is a contract file, not configuration',
  explanation:
    'A file with a top-level key `contract` was named where configuration is expected. In a folder such files are passed over.',
  help: 'run it with: postern test FILE',
};

export const UnknownKind: MessageType = {
  code: 'PST0105',
  severity: 'error',
  template: 'no matches for kind "{kind}" in version "{apiVersion}"',
  explanation: 'A cluster with Istio has no such kind in this version of the API group.',
};

export const KindNotEmulated: MessageType = {
  code: 'PST0106',
  severity: 'warning',
  template: '{kind} ({group}) is not emulated: everything behaves as if it were not there',
  explanation: 'Istio would act on this object and postern does not, so the real gateway may answer differently.',
};

export const ObjectReplaced: MessageType = {
  code: 'PST0107',
  severity: 'warning',
  template: '{resource} is already defined at {first}; this one replaces it, as with kubectl apply',
  explanation:
    'The same object was loaded twice. The later one counts: in the order of the arguments, then of file names, then within the file.',
};

export const NameMissing: MessageType = {
  code: 'PST0108',
  severity: 'error',
  template: 'resource name may not be empty',
  explanation: 'An object has no metadata.name.',
  help: 'give it a metadata.name',
};

export const NameIsBoolean: MessageType = {
  code: 'PST0109',
  severity: 'warning',
  template: '{path}: {word} is a boolean in the YAML of Kubernetes; kubectl refuses it as a name',
  explanation:
    'The words y, Y, n and N mean yes and no unless they are quoted. As the name of an object they are used all the same here.',
  help: 'write "{word}", in quotes',
};

export const UnknownField: MessageType = {
  code: 'PST0110',
  severity: 'error',
  template: 'strict decoding error: unknown field "{path}"',
  explanation:
    'The API has no field of this name here. kubectl refuses such objects by default. Names are camelCase and case counts.',
};

export const WrongType: MessageType = {
  code: 'PST0111',
  severity: 'error',
  template: '{path}: Invalid value: "{found}": {path} in body must be of type {expected}: "{found}"',
  explanation:
    'The value has another type than the field. Unquoted words such as y, on, 017 and 1e3 are booleans and numbers, and "443" is text.',
};

export const RequiredValue: MessageType = {
  code: 'PST0112',
  severity: 'error',
  template: '{path}: Required value',
  explanation: 'A field without which the API server refuses the object is missing.',
};

export const UnsupportedValue: MessageType = {
  code: 'PST0113',
  severity: 'error',
  template: '{path}: Unsupported value: {value}: supported values: {supported}',
  explanation: 'The field takes one of a few words, spelled exactly.',
};

export const BelowMinimum: MessageType = {
  code: 'PST0114',
  severity: 'error',
  template: '{path}: Invalid value: {value}: {path} in body should be greater than or equal to {minimum}',
  explanation: 'The number is too small for the field.',
};

export const AboveMaximum: MessageType = {
  code: 'PST0115',
  severity: 'error',
  template: '{path}: Invalid value: {value}: {path} in body should be less than or equal to {maximum}',
  explanation: 'The number is too large for the field.',
};

export const FractionalInteger: MessageType = {
  code: 'PST0116',
  severity: 'error',
  template: '{path}: Invalid value: "number": {path} in body must be of type integer: "number"',
  explanation: 'The field takes whole numbers only.',
};

export const IntegerOverflow: MessageType = {
  code: 'PST0117',
  severity: 'error',
  template: '<nil>: Invalid value: "": Checked value must be of type integer {format} in {path}',
  explanation: 'The number does not fit into the integer type of the field.',
};

export const TooFewItems: MessageType = {
  code: 'PST0118',
  severity: 'error',
  template: '{path}: Invalid value: {count}: {path} in body should have at least {minimum} items',
  explanation: 'The list is shorter than the API allows.',
};

export const TooManyItems: MessageType = {
  code: 'PST0119',
  severity: 'error',
  template: '{path}: Too many: {count}: must have at most {maximum} items',
  explanation: 'The list is longer than the API allows.',
};

export const OneOfViolation: MessageType = {
  code: 'PST0120',
  severity: 'error',
  template:
    '<nil>: Invalid value: "": "{path}" must validate one and only one schema (oneOf). Found {count} valid alternatives',
  explanation: 'Fields that exclude each other are set together.',
};

export const AllOfViolation: MessageType = {
  code: 'PST1201',
  severity: 'error',
  template: '<nil>: Invalid value: "": "{path}" must validate all the schemas (allOf)',
  explanation:
    'The API server says this beside the error about fields that exclude each other, where a message has two groups of them.',
};

export const RulesNotChecked: MessageType = {
  code: 'PST1202',
  severity: 'error',
  template:
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  explanation:
    'With a type, a word or a required field that is wrong, the API server does not evaluate the rules of the schema: there may be more to mend once this is.',
};

export const TooLong: MessageType = {
  code: 'PST1203',
  severity: 'error',
  template: '{path}: Too long: may not be more than {maximum} bytes',
  explanation: 'The text is longer than the API allows.',
};

export const BadValue: MessageType = {
  code: 'PST1204',
  severity: 'error',
  template: '{path}: Invalid value: {problem}',
  explanation: "A check that the API server makes of names and of Kubernetes' own kinds, beside their structure.",
};

export const WebhookDenial: MessageType = {
  code: 'PST1206',
  severity: 'error',
  template: '{error}',
  explanation:
    "istiod's admission webhook refuses the object before it evaluates any rule: for an annotation that users may not set, or because it cannot decode the object. istioctl analyze does not look at this.",
};

export const InputTooLarge: MessageType = {
  code: 'PST1205',
  severity: 'error',
  template: 'the file has {size} bytes; more than {limit} are not read',
  explanation:
    'Configuration of this size is generated or not meant for a gateway, and would take long to read. No object that a cluster stores is larger than 1.5 MiB.',
  help: 'split the file, or raise the limit with --max-input',
};

export const BadDuration: MessageType = {
  code: 'PST0121',
  severity: 'error',
  template:
    "{path}: Invalid value: \"string\": type conversion error from 'string' to 'google.protobuf.Duration' evaluating rule: must be a valid duration greater than 1ms",
  explanation:
    'Durations are numbers with a unit (ns us ms s m h), one or several after each other: 100ms, 1.5s, 1m30s.',
};

export const ShortDuration: MessageType = {
  code: 'PST0122',
  severity: 'error',
  template: '{path}: Invalid value: {value}: must be a valid duration greater than 1ms',
  explanation: 'The field needs a duration of at least one millisecond; leaving it out is the way to have none.',
};

export const BadTimestamp: MessageType = {
  code: 'PST0123',
  severity: 'error',
  template: '{path}: not a time of the form 2006-01-02T15:04:05Z (RFC 3339)',
  explanation: 'creationTimestamp decides which of two objects is older, so it must be readable.',
};

export const BadBase64: MessageType = {
  code: 'PST0124',
  severity: 'error',
  template: '{path}: illegal base64 data at input byte {offset}',
  explanation: 'The field holds bytes in base64.',
  help: 'in a Secret, stringData takes the text as it is',
};

// PST0125 to PST0128 were checks of istiod's webhook, which now speak as IST0106.

export const BadMapKey: MessageType = {
  code: 'PST0129',
  severity: 'error',
  template: '{path}: the key must be a port number',
  explanation: 'The keys of this map are port numbers.',
};

export const FieldNotEmulated: MessageType = {
  code: 'PST0130',
  severity: 'warning',
  template: '{path} is not emulated: everything behaves as if it were not written',
  explanation: 'Istio would act on this field and postern does not, so the real gateway may answer differently.',
};

export const ProxyConfigOfWorkload: MessageType = {
  code: 'PST0135',
  severity: 'warning',
  template: 'the annotation proxy.istio.io/config of a gateway is not read',
  explanation:
    'istiod lays the ProxyConfig of this annotation over the one of the mesh for the pods that have it. postern takes the workload of the gateway from its flags and does not look at Deployments and Pods for it.',
  help: 'put these settings under defaultConfig in the file of --mesh-config',
};

export const MeshConfigNotRead: MessageType = {
  code: 'PST0132',
  severity: 'error',
  template: 'mesh configuration must be an object with fields, not {found}',
  explanation: 'The text of --mesh-config or of the ConfigMap istio is no MeshConfig.',
};

export const SchemaRule: MessageType = {
  code: 'PST0133',
  severity: 'error',
  template: '{path}: Invalid value: {rule}',
  explanation: 'The API server refuses the object: a rule of its schema joins several fields, or looks into a value.',
};

export const DuplicateListKey: MessageType = {
  code: 'PST0134',
  severity: 'error',
  template: '{path}: Duplicate value: {value}',
  explanation: 'Items of this list are told apart by a key, so it may not repeat.',
};

export const UnknownMeshField: MessageType = {
  code: 'PST0131',
  severity: 'warning',
  template: 'MeshConfig has no field "{path}"; istiod passes over it, and so does postern',
  explanation: 'istiod reads MeshConfig leniently: a misspelt field has no effect.',
};

// --- istiod's webhook (IST0106, IST0130, IST0131, IST0133; PST12xx): what it refuses and what it warns about. The analyzers
// of istioctl say the same under the same codes. Spec validation.md §3–§6, §11.

export const SchemaValidationError: MessageType = {
  code: 'IST0106',
  severity: 'error',
  template: 'Schema validation error: {error}',
  explanation:
    "istiod's admission webhook refuses the object with this text, so a cluster never stores it. All errors of an object are told together, in istiod's order.",
};

export const VirtualServiceUnreachableRule: MessageType = {
  code: 'IST0130',
  severity: 'warning',
  template: 'VirtualService rule {rule} not used ({reason}).',
  explanation: 'A rule stands behind one that takes every request, or all its matches are those of earlier rules.',
};

export const VirtualServiceIneffectiveMatch: MessageType = {
  code: 'IST0131',
  severity: 'info',
  template: 'VirtualService rule {rule} match {match} is not used (duplicate/overlapping match in rule {other}).',
  explanation: 'An earlier match takes every request that this one describes.',
};

export const SchemaWarning: MessageType = {
  code: 'IST0133',
  severity: 'warning',
  template: 'Schema validation warning: {warning}',
  explanation: "istiod's admission webhook accepts the object and warns with this text.",
};

// --- Gateways, listeners and Secrets (PST02xx): istiod's and Envoy's own lines. Spec gateway.md §4.2, §4.4, §4.6, §8.5, §8.6.

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

// --- VirtualServices and route tables (PST03xx). Spec virtualservice.md §3, §6, §11-§15, §17.4.

export const DelegateNotFound: MessageType = {
  code: 'PST0301',
  severity: 'warning',
  template: 'delegate virtual service {delegate} of {virtualService} not found',
  explanation:
    'A route delegates to a VirtualService that is not there. The route is left out, and its requests fall through to later rules or get 404.',
};

export const DelegateNotVisible: MessageType = {
  code: 'PST0302',
  severity: 'warning',
  template: 'delegate virtual service {delegate} of {virtualService} is not exported to namespace {namespace}',
  explanation: 'A VirtualService can only delegate to one that exportTo lets its namespace see. The route is left out.',
};

export const DelegateConflict: MessageType = {
  code: 'PST0303',
  severity: 'warning',
  template: 'HTTPMatchRequests conflict: root route {rootRoute}, delegate route {delegateRoute}',
  explanation:
    'The match of the delegate contradicts the match of the route that delegates to it, so nothing can fit both and the rule is left out.',
};

export const VirtualServiceHostUnbound: MessageType = {
  code: 'PST0304',
  severity: 'warning',
  template:
    'host {host} of VirtualService {virtualService} fits no host of the Gateway servers that it is bound to ({gateways})',
  explanation:
    'A VirtualService serves a gateway only where its hosts and the hosts of a server overlap. Requests for this host get 404.',
};

export const VirtualServiceNotExported: MessageType = {
  code: 'PST0305',
  severity: 'warning',
  template: 'VirtualService {virtualService} is not exported to {namespace}, the namespace of the gateway workload',
  explanation:
    'exportTo of the VirtualService does not name the namespace in which the gateway runs, so the gateway never sees it.',
};

export const VirtualServiceGatewayUnknown: MessageType = {
  code: 'PST0306',
  severity: 'warning',
  template: 'VirtualService {virtualService} names the Gateway {gateway}, which does not exist',
  explanation:
    'A name without a namespace means a Gateway beside the VirtualService; the usual mistake is the missing namespace.',
};

export const MatchFitsNoServer: MessageType = {
  code: 'PST0307',
  severity: 'warning',
  template: 'no server fits this match of VirtualService {virtualService}: {field} is compared with {comparedWith}',
  explanation:
    'This condition is compared with the gateway itself, not with the request, and it fits no server. The rule never applies.',
};

export const MatchSourceIgnored: MessageType = {
  code: 'PST0308',
  severity: 'info',
  template: '{fields} of a match that has gateways are not looked at',
  explanation: 'Once a match lists gateways, Istio does not compare where the traffic comes from.',
};

export const JwtClaimMatch: MessageType = {
  code: 'PST0309',
  severity: 'warning',
  template: '{header} is never known: postern does not emulate RequestAuthentication',
  explanation:
    'Matches on JWT claims need a RequestAuthentication, which is not emulated: they behave as if the request had no token.',
};

export const MirrorPercentIgnored: MessageType = {
  code: 'PST0310',
  severity: 'warning',
  template: '{field} counts for mirror, not for mirrors: each entry of mirrors has its own percentage',
  explanation:
    'The rule-level percentage belongs to the single mirror; with the list mirrors Istio does not look at it.',
};

export const FaultNeverFires: MessageType = {
  code: 'PST0311',
  severity: 'warning',
  template: '{part} never fires: its percentage is not written, which means 0',
  explanation: 'A fault without a percentage is one that affects no request at all, in Istio and here.',
};

export const IgnoredBesideReply: MessageType = {
  code: 'PST0312',
  severity: 'info',
  template: '{fields} have no effect on a rule that answers itself ({action})',
  explanation: 'A redirect or direct response answers before any of these could act.',
};

export const RouteTableRejected: MessageType = {
  code: 'PST0313',
  severity: 'warning',
  template: 'gRPC config for type.googleapis.com/envoy.config.route.v3.RouteConfiguration rejected: {reason}',
  explanation:
    'Envoy refuses the whole route table, as recorded. A real gateway keeps the last good one, or answers 404 when there is none.',
};

export const RegexNearLimit: MessageType = {
  code: 'PST0314',
  severity: 'warning',
  template: 'regex is near the largest program that Envoy takes ({size} of {limit} by estimate)',
  explanation:
    'Envoy refuses regular expressions whose compiled program is too large. The size is estimated here, so a real gateway may refuse this one.',
};

export const RouteTableWithoutHosts: MessageType = {
  code: 'PST0315',
  severity: 'info',
  template:
    'constructed http route config for route {route} on port {port} with no vhosts; Setting up a default 404 vhost',
  explanation: 'No VirtualService is bound to the hosts of this port, so every request gets 404.',
};

export const RedirectHostWithNamespace: MessageType = {
  code: 'PST0316',
  severity: 'warning',
  template:
    'httpsRedirect of {host} redirects no request: without a VirtualService the namespace stays part of the host',
  explanation:
    'Istio builds the redirect from the host as it is rewritten for namespace rules, and no request carries that host.',
};

export const SectionWithoutServer: MessageType = {
  code: 'PST0317',
  severity: 'warning',
  template:
    '{section} of VirtualService {virtualService} has no effect: no server that it is bound to reads {section} routes',
  explanation:
    'http routes are read by HTTP servers and by HTTPS servers that end TLS, tls routes by PASSTHROUGH servers, tcp routes by TCP servers and those that end TLS for protocol TLS.',
};

// --- Destinations: services, endpoints, DestinationRules (PST04xx). Spec destinations.md §2, §3, §6.1, §7, §10.3, §14.

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

// --- The product around it: stand-ins and mappings (PST06xx).

export const AssumedServices: MessageType = {
  code: 'PST0601',
  severity: 'info',
  template: 'no Service or ServiceEntry is loaded: every destination that a route names is taken as a service',
  explanation:
    'Routes without any Service would all answer 503 NC. With nothing but routes loaded, postern takes every destination as a service and says so.',
};

export const DevelopmentCertificate: MessageType = {
  code: 'PST0602',
  severity: 'info',
  template: 'no Secret "{name}": a development certificate for {hosts} takes its place',
  explanation:
    'With --dev-certs a credentialName without a Secret gets a certificate of the development CA. A real gateway would reset connections to these hosts.',
};

export const UnusedUpstreamMapping: MessageType = {
  code: 'PST0603',
  severity: 'warning',
  template: 'upstream mapping {mapping} fits no cluster of the gateway',
  explanation:
    'The service, port or subset of an --upstream mapping is spelled differently from every cluster, or no route leads to it.',
};

// --- Contract files and what they are run against (PST10xx).

export const NotAContract: MessageType = {
  code: 'PST1001',
  severity: 'error',
  template: 'this is no contract file but {found}',
  explanation: 'A contract file is one YAML document whose top-level key `contract` names the version of the format.',
  help: 'begin it with `contract: v1`, or let `postern init` write the first one',
};

export const ContractUnknownKey: MessageType = {
  code: 'PST1002',
  severity: 'error',
  template: '{path}: unknown key "{key}"',
  explanation:
    'A contract file has no such key here. Nothing is passed over: a misspelled expectation would never fail.',
};

export const ContractWrongValue: MessageType = {
  code: 'PST1003',
  severity: 'error',
  template: '{path}: expected {expected}, found {found}',
  explanation: 'The value is of another kind than this key of a contract file takes.',
};

export const ContractKeyMissing: MessageType = {
  code: 'PST1004',
  severity: 'error',
  template: '{path} is missing',
  explanation: 'A key without which this part of a contract file means nothing is not there.',
};

export const ContractDuplicateKey: MessageType = {
  code: 'PST1005',
  severity: 'error',
  template: 'key "{key}" is already set in line {firstLine}',
  explanation: 'The same key stands twice in one map of a contract file, so one of them would never be looked at.',
};

export const ContractWithoutTests: MessageType = {
  code: 'PST1006',
  severity: 'error',
  template: 'the contract has no tests',
  explanation: 'A contract without tests would pass whatever the configuration does.',
};

export const ContractTestEmpty: MessageType = {
  code: 'PST1007',
  severity: 'error',
  template: 'test "{name}" expects nothing',
  explanation: 'A test without an expectation can never fail.',
  help: 'write under `expect` what must come of the request',
};

export const ContractOptions: MessageType = {
  code: 'PST1008',
  severity: 'error',
  template: '{why}',
  explanation: 'Keys of a contract file that exclude or need each other.',
};

export const ContractRequest: MessageType = {
  code: 'PST1009',
  severity: 'error',
  template: 'the request cannot be made: {why}',
  explanation: 'What a contract asks for cannot be put on the wire as one HTTP request.',
};

export const ContractPattern: MessageType = {
  code: 'PST1010',
  severity: 'error',
  template: 'no RE2 expression: {reason}',
  explanation: 'Patterns in contracts are RE2, as in Istio, and must match the whole text.',
};

export const ContractClientUnknown: MessageType = {
  code: 'PST1011',
  severity: 'error',
  template: 'client "{name}" is not declared',
  explanation: 'A request names a client that the contract does not have under `clients`.',
};

export const ContractClientUnused: MessageType = {
  code: 'PST1012',
  severity: 'error',
  template: 'client "{name}" is used by no test',
  explanation: 'A client that no request names is a left-over, or the test that needed it was forgotten.',
};

export const ContractUpstreamKey: MessageType = {
  code: 'PST1013',
  severity: 'error',
  template: '"{key}" names no upstream: expected HOST[:PORT][/SUBSET]',
  explanation: 'Upstreams of a contract are named as in --upstream: reviews.shop.svc.cluster.local:9080/v2.',
};

export const ContractUpstreamUnused: MessageType = {
  code: 'PST1014',
  severity: 'error',
  template: 'upstream "{key}" is used by no test: {why}',
  explanation:
    'Either no cluster of the gateway fits the name (a misspelled host, port or subset), or no request of the contract is routed there.',
};

export const ContractFile: MessageType = {
  code: 'PST1015',
  severity: 'error',
  template: '{what}: {reason}',
  explanation: 'A file that a contract names cannot be read or used.',
};

export const ContractClientAuthority: MessageType = {
  code: 'PST1016',
  severity: 'error',
  template: 'client "{name}" cannot be signed by the gateway: the key of the CA that it trusts is not known',
  explanation: 'postern knows the key of a CA only when it made the CA itself.',
  help: 'set `gateway: { devCerts: true }` and leave the Secret out, or name files of a client certificate',
};

export const NotEmulatedInUse: MessageType = {
  code: 'PST1017',
  severity: 'error',
  template: '{what} is in use and not emulated: a contract that passes here may fail in the cluster',
  explanation:
    'Istio would act on this, postern does not, so a green contract would promise more than it can. `postern test` fails until it is accepted.',
  help: "take it out of the contract's configuration, or accept it: --allow-unemulated, or gateway.allowUnemulated in the contract",
};

export const AllowedButNotInUse: MessageType = {
  code: 'PST1018',
  severity: 'warning',
  template: 'gateway.allowUnemulated: "{name}" accepts nothing',
  explanation: 'An exception that fits nothing is left over, or misspelled.',
};

// --- Export to Envoy (PST09xx): what a static bootstrap cannot say as the control plane says it.

export const ListenerNotExported: MessageType = {
  code: 'PST0901',
  severity: 'warning',
  template: 'listener {listener} is left out: {reason}',
  explanation:
    'Envoy refuses this listener and goes on without it when a control plane sends it; in a static bootstrap it would not start at all.',
};

export const RouteTableNotExported: MessageType = {
  code: 'PST0902',
  severity: 'warning',
  template: 'route table {table} is exported without routes: Envoy refuses it ({reason})',
  explanation:
    'A fresh gateway whose route table Envoy refuses answers 404 to everything on that port, and so does the exported one.',
};

export const SecretNotExported: MessageType = {
  code: 'PST0903',
  severity: 'warning',
  template: 'secret {secret} is not exported: {reason}; connections that need it are reset',
  explanation:
    'The exported bootstrap asks for this secret where it never comes, so the chains that need it behave as on a gateway whose Secret is missing.',
};

export const ClustersWithoutEndpoints: MessageType = {
  code: 'PST0904',
  severity: 'info',
  template: 'without endpoints, 503 "no healthy upstream" (UH): {clusters}',
  explanation:
    'The echo stubs of `postern run` are its own and are not exported, so these clusters have nobody behind them.',
  help: 'map a service that runs somewhere with --upstream HOST[:PORT]=ADDR:PORT',
};

export const SystemRootsExported: MessageType = {
  code: 'PST0905',
  severity: 'info',
  template: 'the trust store of the operating system is read from {file}',
  explanation:
    'Upstream TLS without a CA of its own trusts the roots of the machine. Envoy has no name for them, only a file, and does not start without it.',
  help: 'change the file name in the bootstrap where Envoy finds its roots elsewhere',
};

export const ListenerAddressTaken: MessageType = {
  code: 'PST0906',
  severity: 'warning',
  template: 'listener {listener} is left out: {other} has the same address once both are bound on one machine',
  explanation:
    'On the gateway pod the two have different addresses. --address moves listeners of all addresses, and of the pod’s own, to one.',
  help: 'export with another --address, or map one of the ports with --port',
};

export const RevocationListMissing: MessageType = {
  code: 'PST0907',
  severity: 'warning',
  template: 'the revocation list {file} is not there: connections that need it are reset',
  explanation: 'A caCrl file that cannot be read leaves its chains without what they need, exported or not.',
};

export const AccessLogNotExported: MessageType = {
  code: 'PST0908',
  severity: 'warning',
  template: 'the access log is left out: {reason}',
  explanation: 'Envoy refuses the accessLogFormat of MeshConfig, and a static bootstrap with it altogether.',
};
