// `namespace/host`, as servers of a Gateway and egress listeners of a Sidecar list it. Spec validation.md §3.1; Istio:
// pkg/config/validation/agent/validation.go ValidateNamespaceSlashWildcardHostname.
import { isIpAddress } from '../model/ip-address.js';
import type { Span } from '../yaml/tree.js';
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkPartialWildcard, checkWildcardDomain, isDnsLabel } from './names.js';
import type { WrittenText } from './written.js';

/** Every step that fails speaks. Only a Gateway may leave out the namespace, and name an address. */
export function validateHostEntry({ value, span }: WrittenText, owner: 'gateway' | 'sidecar', found: Findings): void {
  const slash = value.indexOf('/');
  if (slash === -1) {
    if (owner === 'gateway') validateHostName(value, span, owner, found);
    else found.error('host must be of form namespace/dnsName', span);
    return;
  }
  const namespace = value.slice(0, slash);
  const host = value.slice(slash + 1);
  if (namespace === '' || host === '') {
    found.error('config namespace and dnsName in host entry cannot be empty', span);
  }
  const known = namespace === '*' || namespace === '.' || (namespace === '~' && owner === 'sidecar');
  if (!known && !isDnsLabel(namespace)) {
    found.error(`invalid namespace value ${goQuote(namespace)} in ${owner}`, span);
  }
  validateHostName(host, span, owner, found);
}

function validateHostName(host: string, span: Span, owner: 'gateway' | 'sidecar', found: Findings): void {
  if (host !== '*' && !host.includes('.')) found.error('short names (non FQDN) are not allowed', span);
  const problem = checkWildcardDomain(host);
  // Istio's code says it twice of a Sidecar.
  if (owner === 'sidecar') found.errorIf(problem, span);
  if (!isIpAddress(host)) found.errorIf(problem, span);
  found.errorIf(checkPartialWildcard(host), span);
}
