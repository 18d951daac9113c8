// istiod's webhook (IST0106, IST0130, IST0131, IST0133; PST12xx): what it refuses and what it warns about. The analyzers
// of istioctl say the same under the same codes. Spec validation.md §3–§6, §11.
import type { MessageType } from './diagnostic.js';

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
