// What istiod's webhook says of a PeerAuthentication. Istio: pkg/config/validation/validation.go
// ValidatePeerAuthentication.
import type { Findings } from './findings.js';
import type { WebhookObject } from './object.js';
import { validateWorkloadSelector } from './references.js';

export function validatePeerAuthentication({ spec }: WebhookObject, found: Findings): void {
  const selector = spec.message('selector');
  const ports = spec.pairs('portLevelMtls');
  if ((selector?.pairs('matchLabels').length ?? 0) === 0 && ports.length > 0) {
    found.error('mesh/namespace peer authentication cannot have port level mTLS', spec.spanOf('portLevelMtls'));
  }
  for (const { key, keySpan } of ports) {
    const port = Number(key);
    if (!(port > 0 && port <= 65535)) found.error('port must be in range 1..65535', keySpan);
  }
  validateWorkloadSelector(selector, found);
}
