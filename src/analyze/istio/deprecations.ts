// Fields that will go. Spec validation.md §11 IST0002. Istio: deprecation/deprecation.go.

import type { WrittenObject } from '../../config/written-object.js';
import { Deprecated } from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { perObject } from '../per-object.js';

export const deprecations: Analyzer = {
  name: 'deprecation.DeprecationAnalyzer',
  description: 'Checks for deprecated Istio types and fields',
  inputs: ['VirtualService', 'Sidecar'],
  messages: [Deprecated],
  analyze(context) {
    for (const virtualService of context.all('VirtualService')) {
      const detail = 'HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage';
      for (const percent of deprecatedPercents(virtualService)) context.report(Deprecated, percent, { detail });
    }
    for (const sidecar of context.all('Sidecar')) {
      const proxy = Field.of(sidecar).get('spec', 'outboundTrafficPolicy', 'egressProxy');
      if (proxy.isWritten) context.report(Deprecated, proxy, { detail: 'OutboundTrafficPolicy.EgressProxy ignored' });
    }
  },
};

const deprecatedPercents: (virtualService: WrittenObject) => readonly Field[] = perObject((virtualService) =>
  Field.of(virtualService)
    .get('spec', 'http')
    .items()
    .map((rule) => rule.get('fault', 'delay', 'percent'))
    .filter((percent) => percent.number() > 0),
);
