// The list of all analyzers. One that is not here does not run.
import type { Analyzer, GatewayAnalyzer } from './analyzer.js';
import { annotations } from './istio/annotations.js';
import { authorizationPolicies } from './istio/authorization-policies.js';
import { caCertificates } from './istio/ca-certificates.js';
import { conditions } from './istio/conditions.js';
import { conflictingGateways } from './istio/conflicting-gateways.js';
import { deployments } from './istio/deployments.js';
import { deprecations } from './istio/deprecations.js';
import { destinationHosts } from './istio/destination-hosts.js';
import { duplicateCertificates } from './istio/duplicate-certificates.js';
import { entryAddresses } from './istio/entry-addresses.js';
import { entryProtocols } from './istio/entry-protocols.js';
import { envoyFilters } from './istio/envoy-filters.js';
import { gatewayPorts } from './istio/gateway-ports.js';
import { gatewaySecrets } from './istio/gateway-secrets.js';
import { gatewaysOfVirtualServices } from './istio/gateways-of-virtual-services.js';
import { injection } from './istio/injection.js';
import { jwtClaims } from './istio/jwt-claims.js';
import { meshHosts } from './istio/mesh-hosts.js';
import { ruleSubsets } from './istio/rule-subsets.js';
import { schemaValidation } from './istio/schema-validation.js';
import { servicePortNames } from './istio/service-port-names.js';
import { sidecars } from './istio/sidecars.js';
import { subsetsOfVirtualServices } from './istio/subsets-of-virtual-services.js';
import { autoPassthroughHosts } from './own/auto-passthrough-hosts.js';
import { certificates } from './own/certificates.js';
import { connectionReuse } from './own/connection-reuse.js';
import { mergedVirtualServices } from './own/merged-virtual-services.js';
import { otherWorkloads } from './own/other-workloads.js';
import { shadowedRoutes } from './own/shadowed-routes.js';
import { stoodInDestinations } from './own/stood-in-destinations.js';

/** Those of istioctl, under its codes. */
export const ISTIO_ANALYZERS: readonly Analyzer[] = [
  annotations,
  authorizationPolicies,
  caCertificates,
  conditions,
  conflictingGateways,
  deployments,
  deprecations,
  destinationHosts,
  duplicateCertificates,
  entryAddresses,
  entryProtocols,
  envoyFilters,
  gatewayPorts,
  gatewaySecrets,
  gatewaysOfVirtualServices,
  injection,
  jwtClaims,
  meshHosts,
  ruleSubsets,
  schemaValidation,
  servicePortNames,
  sidecars,
  subsetsOfVirtualServices,
];

/** postern's own, under its codes: what the emulated gateway makes of the configuration. */
export const OWN_ANALYZERS: readonly GatewayAnalyzer[] = [
  autoPassthroughHosts,
  certificates,
  connectionReuse,
  mergedVirtualServices,
  otherWorkloads,
  shadowedRoutes,
  stoodInDestinations,
];
