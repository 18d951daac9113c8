// Services that lead to one Deployment agree about its ports. Spec validation.md §11 IST0116, IST0137. Istio:
// deployment/services.go.
import { labelsMatch } from '../../config/model/labels.js';
import { goList, goQuote } from '../../config/validate/go-text.js';
import type { WrittenObject } from '../../config/written-object.js';
import { DeploymentAssociatedToMultipleServices, DeploymentConflictingPorts } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, labelsOf } from '../selector.js';
import { isDeploymentInMesh } from './mesh-membership.js';

export const deployments: Analyzer = {
  name: 'deployment.MultiServiceAnalyzer',
  description: 'Checks association between services and pods',
  inputs: ['Service', 'Deployment', 'Namespace'],
  messages: [DeploymentAssociatedToMultipleServices, DeploymentConflictingPorts],
  analyze(context) {
    context.all('Service');
    context.all('Namespace');
    for (const deployment of context.all('Deployment')) {
      if (labelsOf(deployment)['gateway.istio.io/managed'] === 'istio.io-mesh-controller') continue;
      if (!isDeploymentInMesh(context, deployment)) continue;
      const services = matchingServices(context, deployment);
      checkProtocols(context, deployment, services);
      checkTargetPorts(context, deployment, services);
    }
  },
};

function matchingServices(context: AnalysisContext, deployment: WrittenObject): readonly WrittenObject[] {
  const labels = Field.of(deployment).get('spec', 'template', 'metadata', 'labels').labels();
  return context.all('Service').filter((service) => {
    const selector = Field.of(service).get('spec', 'selector').labels();
    return (
      service.namespace === deployment.namespace && Object.keys(selector).length > 0 && labelsMatch(selector, labels)
    );
  });
}

function checkProtocols(context: AnalysisContext, deployment: WrittenObject, services: readonly WrittenObject[]): void {
  const ports = new Map<number, { readonly protocols: Set<string>; readonly services: string[] }>();
  for (const { service, port } of portsOf(services)) {
    const number = port.get('port').number();
    let known = ports.get(number);
    if (known === undefined) {
      known = { protocols: new Set(), services: [] };
      ports.set(number, known);
    }
    known.protocols.add(port.get('protocol').text() || 'TCP');
    known.services.push(fullName(service));
  }
  for (const [port, known] of ports) {
    if (known.protocols.size < 2) continue;
    const name = Field.of(deployment).get('metadata', 'name');
    const parameters = { deployment: deployment.name, port, services: goList(known.services.sort()) };
    context.report(DeploymentAssociatedToMultipleServices, name, parameters, { printed: name });
  }
}

function checkTargetPorts(
  context: AnalysisContext,
  deployment: WrittenObject,
  services: readonly WrittenObject[],
): void {
  const targets = new Map<string, Map<number, string>>();
  for (const { service, port } of portsOf(services)) {
    const number = port.get('port').number();
    const written = port.get('targetPort').text();
    const target = written === '' || written === '0' ? String(number) : written;
    let known = targets.get(target);
    if (known === undefined) {
      known = new Map();
      targets.set(target, known);
    }
    known.set(number, fullName(service));
  }
  for (const [target, known] of targets) {
    if (known.size < 2) continue;
    const name = Field.of(deployment).get('metadata', 'name');
    const parameters = {
      deployment: deployment.name,
      services: goList([...known.values()].sort()),
      targetPort: goQuote(target),
      ports: goList([...known.keys()].sort((a, b) => a - b).map(String)),
    };
    context.report(DeploymentConflictingPorts, name, parameters, { printed: name });
  }
}

function portsOf(
  services: readonly WrittenObject[],
): readonly { readonly service: WrittenObject; readonly port: Field }[] {
  return services.flatMap((service) =>
    Field.of(service)
      .get('spec', 'ports')
      .items()
      .map((port) => ({ service, port })),
  );
}
