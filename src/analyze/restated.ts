// Loading and translation say in istiod's and Envoy's words what an analyzer has said already: once is enough.
import {
  CertificateKeyMismatch,
  ClientCaMissing,
  CredentialMissing,
  DestinationPortUnknown,
  DestinationRuleSubsetNotSelectPods,
  DestinationUnknown,
  InvalidGatewayCredential,
  JwtClaimBasedRoutingWithoutRequestAuthN,
  JwtClaimMatch,
  NoSecretAvailable,
  ReferencedInternalGateway,
  ReferencedResourceNotFound,
  RouteShadowed,
  RuleWithoutService,
  SecretRejected,
  SubsetUnknown,
  SubsetWithoutEndpoints,
  UnknownDestinationRuleHost,
  VirtualServiceDestinationPortSelectorRequired,
  VirtualServiceGatewayUnknown,
  VirtualServiceHostNotFoundInGateway,
  VirtualServiceHostUnbound,
  VirtualServiceIneffectiveMatch,
  VirtualServiceUnreachableRule,
} from '../diagnostics/catalogue.js';
import type { Diagnostic, MessageType } from '../diagnostics/diagnostic.js';

interface Twin {
  /** Said by loading or translation. */
  readonly later: MessageType;
  /** Analyzers' messages about the same thing. */
  readonly earlier: readonly MessageType[];
  /** How near the two stand: on one line, or anywhere in one object. */
  readonly scope: 'line' | 'object';
}

const TWINS: readonly Twin[] = [
  {
    later: VirtualServiceGatewayUnknown,
    earlier: [ReferencedResourceNotFound, ReferencedInternalGateway],
    scope: 'line',
  },
  { later: VirtualServiceHostUnbound, earlier: [VirtualServiceHostNotFoundInGateway], scope: 'object' },
  { later: DestinationUnknown, earlier: [ReferencedResourceNotFound], scope: 'line' },
  {
    later: DestinationPortUnknown,
    earlier: [ReferencedResourceNotFound, VirtualServiceDestinationPortSelectorRequired],
    scope: 'line',
  },
  { later: SubsetUnknown, earlier: [ReferencedResourceNotFound], scope: 'line' },
  { later: SubsetWithoutEndpoints, earlier: [DestinationRuleSubsetNotSelectPods], scope: 'object' },
  { later: RuleWithoutService, earlier: [UnknownDestinationRuleHost], scope: 'line' },
  {
    later: CredentialMissing,
    earlier: [ReferencedResourceNotFound, InvalidGatewayCredential, ClientCaMissing],
    scope: 'line',
  },
  { later: SecretRejected, earlier: [InvalidGatewayCredential, CertificateKeyMismatch], scope: 'line' },
  { later: RouteShadowed, earlier: [VirtualServiceUnreachableRule, VirtualServiceIneffectiveMatch], scope: 'line' },
  { later: NoSecretAvailable, earlier: [ReferencedResourceNotFound, CredentialMissing], scope: 'line' },
  { later: JwtClaimMatch, earlier: [JwtClaimBasedRoutingWithoutRequestAuthN], scope: 'object' },
];

const TWINS_BY_CODE: ReadonlyMap<string, Twin> = new Map(TWINS.map((twin) => [twin.later.code, twin]));

/** The diagnostics without those that say again what is in `found`, or in another one of themselves. */
export function withoutRestated(
  diagnostics: readonly Diagnostic[],
  found: readonly Diagnostic[],
): readonly Diagnostic[] {
  const said = new Set<string>();
  for (const one of [...found, ...diagnostics])
    for (const scope of ['line', 'object'] as const) said.add(keyOf(one.code, one, scope));
  return diagnostics.filter((one) => {
    const twin = TWINS_BY_CODE.get(one.code);
    return twin === undefined || !twin.earlier.some(({ code }) => said.has(keyOf(code, one, twin.scope)));
  });
}

function keyOf(code: string, { origin }: Diagnostic, scope: 'line' | 'object'): string {
  const place = scope === 'line' ? `${origin?.file}:${origin?.line}` : '';
  return `${code} ${scope} ${origin?.resource} ${place}`;
}
