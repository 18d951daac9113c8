// Fields that will go. Spec validation.md §11 IST0002. Istio: deprecation/deprecation.go.
import { Deprecated } from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';

export const deprecations: Analyzer = {
  name: 'deprecation.DeprecationAnalyzer',
  description: 'Checks for deprecated Istio types and fields',
  inputs: ['VirtualService', 'Sidecar'],
  messages: [Deprecated],
  analyze(context) {
    for (const virtualService of context.all('VirtualService')) {
      for (const rule of Field.of(virtualService).get('spec', 'http').items()) {
        const percent = rule.get('fault', 'delay', 'percent');
        if (percent.number() <= 0) continue;
        const detail = 'HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage';
        context.report(Deprecated, percent, { detail });
      }
    }
    for (const sidecar of context.all('Sidecar')) {
      const proxy = Field.of(sidecar).get('spec', 'outboundTrafficPolicy', 'egressProxy');
      if (proxy.isWritten) context.report(Deprecated, proxy, { detail: 'OutboundTrafficPolicy.EgressProxy ignored' });
    }
  },
};
