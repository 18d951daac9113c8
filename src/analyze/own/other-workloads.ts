// Gateways that select other pods than the emulated one, and VirtualServices that are bound to nothing else.

import { labelsMatch } from '../../config/model/labels.js';
import type { WrittenObject } from '../../config/written-object.js';
import { GatewayOfOtherWorkload, VirtualServiceOfOtherWorkload } from '../../diagnostics/catalogue.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, gatewaySelector, printSelector, resolveName } from '../selector.js';

export const otherWorkloads: GatewayAnalyzer = {
  name: 'postern.otherWorkloads',
  description: 'Says which Gateways and VirtualServices are for other workloads than the emulated gateway',
  inputs: ['Gateway', 'VirtualService'],
  messages: [GatewayOfOtherWorkload, VirtualServiceOfOtherWorkload],
  analyze(context) {
    const { labels } = context.gateway.push.proxy;
    const others = new Set<WrittenObject>();
    for (const gateway of context.all('Gateway')) {
      const selector = gatewaySelector(gateway);
      if (labelsMatch(selector, labels)) continue;
      others.add(gateway);
      context.report(GatewayOfOtherWorkload, Field.of(gateway).get('spec', 'selector'), {
        gateway: fullName(gateway),
        selector: printSelector(selector),
        labels: printSelector(labels),
      });
    }
    if (others.size > 0) checkVirtualServices(context, others);
  },
};

function checkVirtualServices(context: GatewayAnalysisContext, others: ReadonlySet<WrittenObject>): void {
  for (const virtualService of context.all('VirtualService')) {
    const written = Field.of(virtualService).get('spec', 'gateways');
    const names = written.texts().filter((name) => name !== 'mesh');
    const found = names.map((name) => {
      const target = resolveName(virtualService.namespace, name);
      return context.find('Gateway', target.namespace, target.name);
    });
    if (names.length === 0 || !found.every((gateway) => gateway !== undefined && others.has(gateway))) continue;
    context.report(VirtualServiceOfOtherWorkload, written, {
      virtualService: fullName(virtualService),
      gateways: names.join(', '),
    });
  }
}
