// Hosts of AUTO_PASSTHROUGH servers select services of the mesh, and only endpoints with a sidecar can answer. Spec
// gateway.md §11.

import { parseNamespacedHost, subsetOf } from '../../config/model/host-name.js';
import { labelsMatch } from '../../config/model/labels.js';
import { AutoPassthroughWithoutEndpoint, AutoPassthroughWithoutService } from '../../diagnostics/catalogue.js';
import type { PushContext, Service } from '../../registry/push-context.js';
import type { GatewayAnalysisContext, GatewayAnalyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { gatewaySelector } from '../selector.js';

export const autoPassthroughHosts: GatewayAnalyzer = {
  name: 'postern.autoPassthroughHosts',
  description: 'Finds hosts of AUTO_PASSTHROUGH servers that no endpoint can serve',
  inputs: ['Gateway'],
  messages: [AutoPassthroughWithoutService, AutoPassthroughWithoutEndpoint],
  analyze(context) {
    const { push } = context.gateway;
    for (const gateway of context.all('Gateway')) {
      if (!labelsMatch(gatewaySelector(gateway), push.proxy.labels)) continue;
      for (const server of Field.of(gateway).get('spec', 'servers').items()) {
        if (server.get('tls', 'mode').text() !== 'AUTO_PASSTHROUGH') continue;
        for (const host of server.get('hosts').items()) checkHost(context, host);
      }
    }
  },
};

function checkHost(context: GatewayAnalysisContext, at: Field): void {
  const { push } = context.gateway;
  const { host } = parseNamespacedHost(at.text());
  const services = push.services.filter((service) => !service.meshExternal && subsetOf(service.hostname, host));
  const [first] = services;
  if (first === undefined) {
    context.report(AutoPassthroughWithoutService, at, { host });
    return;
  }
  const known = services.flatMap((service) => endpointsOf(push, service));
  // Where the files place no endpoint at all there is nothing to judge.
  if (known.length === 0 || known.some(({ tlsMode }) => tlsMode === 'istio')) return;
  const service = services.length === 1 ? first.hostname : `${first.hostname} and ${services.length - 1} more`;
  context.report(AutoPassthroughWithoutEndpoint, at, { host, service });
}

function endpointsOf(push: PushContext, service: Service): ReturnType<PushContext['endpoints']> {
  return service.ports.flatMap((port) => push.endpoints(service, port));
}
