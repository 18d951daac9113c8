// Routing by JWT claims needs a RequestAuthentication on the gateway. Spec validation.md §11 IST0149. Istio:
// virtualservice/jwtclaimroute.go.
import { labelsMatch } from '../../config/model/labels.js';
import type { WrittenObject } from '../../config/written-object.js';
import { JwtClaimBasedRoutingWithoutRequestAuthN } from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';
import { fullName, gatewaySelector, labelsOf, resolveName, selectPods } from '../selector.js';

const CLAIM = '@request.auth.claims';

export const jwtClaims: Analyzer = {
  name: 'virtualservice.JWTClaimRouteAnalyzer',
  description: 'Checks the VirtualService using JWT claim based routing has corresponding RequestAuthentication',
  inputs: ['VirtualService', 'RequestAuthentication', 'Gateway', 'Pod'],
  messages: [JwtClaimBasedRoutingWithoutRequestAuthN],
  analyze(context) {
    const authentications = context.all('RequestAuthentication').map((object) => ({
      namespace: object.namespace,
      selector: Field.of(object).get('spec', 'selector', 'matchLabels').labels(),
    }));
    for (const virtualService of context.all('VirtualService')) {
      const claim = firstClaim(virtualService);
      if (claim === undefined) continue;
      for (const written of Field.of(virtualService).get('spec', 'gateways').texts()) {
        const target = resolveName(virtualService.namespace, written);
        const gateway = written === 'mesh' ? undefined : context.find('Gateway', target.namespace, target.name);
        if (gateway === undefined) continue;
        for (const pod of selectPods(context, gatewaySelector(gateway))) {
          const isAuthenticated = authentications.some(
            ({ namespace, selector }) =>
              (namespace === 'istio-system' || namespace === pod.namespace) && labelsMatch(selector, labelsOf(pod)),
          );
          if (isAuthenticated) continue;
          context.report(JwtClaimBasedRoutingWithoutRequestAuthN, claim.at, {
            key: claim.key,
            gateway: fullName(target),
            pod: pod.name,
          });
        }
      }
    }
  },
};

interface Claim {
  readonly key: string;
  readonly at: Field;
}

const firstClaim: (virtualService: WrittenObject) => Claim | undefined = perObject(readFirstClaim);

function readFirstClaim(virtualService: WrittenObject): Claim | undefined {
  for (const rule of Field.of(virtualService).get('spec', 'http').items()) {
    for (const match of rule.get('match').items()) {
      for (const section of ['headers', 'withoutHeaders']) {
        for (const [key, at] of match.get(section).entries()) if (key.startsWith(CLAIM)) return { key, at };
      }
    }
  }
  return undefined;
}
