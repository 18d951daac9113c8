// Annotations that the webhook refuses on any object. Spec validation.md §2.5.
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import type { WebhookObject } from './object.js';

const DRY_RUN = 'istio.io/dry-run';

const FORBIDDEN = [
  ['internal.istio.io/webhook-always-reject', 'annotation found, rejecting'],
  ['internal.istio.io/parent-namespace', 'annotation found, this may not be set by users'],
  ['internal.istio.io/parents', 'annotation found, this may not be set by users'],
] as const;

/** False when nothing else is looked at. */
export function validateMetadata(object: WebhookObject, kind: string, found: Findings): boolean {
  const annotations = object.metadata.pairs('annotations');
  const dryRun = annotations.find(({ key }) => key === DRY_RUN);
  if (dryRun !== undefined && kind !== 'AuthorizationPolicy') {
    found.error(
      `${object.namespace}/${object.name} has unsupported annotation ${DRY_RUN}, please remove the annotation`,
      dryRun.keySpan,
    );
    return false;
  }
  for (const [name, text] of FORBIDDEN) {
    const annotation = annotations.find(({ key }) => key === name);
    if (annotation === undefined) continue;
    found.error(`${goQuote(name)} ${text}`, annotation.keySpan);
    return false;
  }
  return true;
}
