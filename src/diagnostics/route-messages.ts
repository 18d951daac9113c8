// VirtualServices and route tables (PST03xx). Spec virtualservice.md §3, §6, §11-§15, §17.4.
import type { MessageType } from './diagnostic.js';

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
