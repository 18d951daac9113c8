// Ports of a Gateway lie behind a Service of its workload. Spec validation.md §11 IST0162, IST0101 selector. Istio:
// gateway/gateway.go.
import { labelsMatch } from '../../config/model/labels.js';
import { goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { GatewayPortNotDefinedOnService, ReferencedResourceNotFound } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { firstSelectorLabel, gatewaySelector, labelsOf, printSelector, selectPods } from '../selector.js';

export const gatewayPorts: Analyzer = {
  name: 'gateway.IngressGatewayPortAnalyzer',
  description: "Checks a gateway's ports against the gateway's Kubernetes service ports",
  inputs: ['Gateway', 'Pod', 'Service'],
  messages: [ReferencedResourceNotFound, GatewayPortNotDefinedOnService],
  analyze(context) {
    const portsByPods = new Map<string, ReadonlySet<number>>();
    for (const gateway of context.all('Gateway')) {
      const selector = gatewaySelector(gateway);
      const pods = selectPods(context, selector);
      if (pods.length === 0) {
        reportNoPod(context, gateway);
        continue;
      }
      const printedSelector = printSelector(selector);
      let ports = portsByPods.get(printedSelector);
      if (ports === undefined) {
        ports = servicePorts(context, pods);
        portsByPods.set(printedSelector, ports);
      }
      for (const server of Field.of(gateway).get('spec', 'servers').items()) {
        const number = server.get('port', 'number');
        if (!server.get('port').isWritten || ports.has(number.number())) continue;
        context.report(
          GatewayPortNotDefinedOnService,
          number,
          { port: number.number(), selector: printedSelector },
          { printed: firstSelectorLabel(gateway) },
        );
      }
    }
  },
};

/** The message of all analyzers that look for the workload of a Gateway; istioctl shows it once. */
export function reportNoPod(context: AnalysisContext, gateway: WrittenObject): void {
  const at = Field.of(gateway).get('spec', 'selector');
  context.report(
    ReferencedResourceNotFound,
    at,
    { reftype: 'selector', refval: goQuote(printSelector(gatewaySelector(gateway))) },
    { printed: firstSelectorLabel(gateway) },
  );
}

/** Files are taken literally: a port that does not say TCP is none (spec §10.4). */
function servicePorts(context: AnalysisContext, pods: readonly WrittenObject[]): ReadonlySet<number> {
  const ports = new Set<number>();
  const services = context.all('Service').map((service) => ({
    namespace: service.namespace,
    selector: Field.of(service).get('spec', 'selector').labels(),
    ports: Field.of(service).get('spec', 'ports').items(),
  }));
  for (const pod of pods) {
    const podLabels = labelsOf(pod);
    for (const service of services) {
      if (service.namespace !== pod.namespace || !labelsMatch(service.selector, podLabels)) continue;
      for (const port of service.ports) {
        if (port.get('protocol').text() !== 'TCP') continue;
        const targetPort = port.get('targetPort').number();
        if (targetPort !== 0) ports.add(targetPort);
        ports.add(port.get('port').number());
      }
    }
  }
  return ports;
}
