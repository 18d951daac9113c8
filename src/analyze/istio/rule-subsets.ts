// Hosts of DestinationRules exist, and their subsets pick Pods. Spec validation.md §11 IST0173, IST0174. Istio:
// destinationrule/subset.go.
import type { Labels } from '../../config/model/common.js';
import { labelsMatch } from '../../config/model/labels.js';
import { DestinationRuleSubsetNotSelectPods, UnknownDestinationRuleHost } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { labelsOf } from '../selector.js';
import { serviceLookup } from './destination-lookup.js';

export const ruleSubsets: Analyzer = {
  name: 'destinationrule.SubsetSelectPodAnalyzer',
  description: 'Checks if pods are selected by subsets in destination rules',
  inputs: ['DestinationRule', 'Pod', 'Service', 'ServiceEntry', 'Node'],
  messages: [UnknownDestinationRuleHost, DestinationRuleSubsetNotSelectPods],
  analyze(context) {
    const findService = serviceLookup(context);
    const pods = augmentedPodLabels(context);
    for (const rule of context.all('DestinationRule')) {
      const spec = Field.of(rule).get('spec');
      const host = spec.get('host');
      const service = findService(rule.namespace, spec.get('exportTo').texts(), host.text());
      if (service === undefined) {
        context.report(UnknownDestinationRuleHost, host, { host: host.text() });
        continue;
      }
      // Subsets are kept by name, so of two with one name the last counts.
      const subsets = new Map(
        spec
          .get('subsets')
          .items()
          .map((subset) => [subset.get('name').text(), subset] as const),
      );
      for (const [name, subset] of subsets) {
        const selector: Labels = { ...service.workloadLabels, ...subset.get('labels').labels() };
        if (pods.some((labels) => labelsMatch(selector, labels))) continue;
        context.report(DestinationRuleSubsetNotSelectPods, subset.get('labels'), { subset: name });
      }
    }
  },
};

const TOPOLOGY = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone', 'topology.istio.io/subzone'];

/** Labels of Pods with those that istiod adds from their Node. */
function augmentedPodLabels(context: AnalysisContext): readonly Labels[] {
  const nodes = new Map(context.all('Node').map((node) => [node.name, labelsOf(node)]));
  return context.all('Pod').map((pod) => {
    const labels = labelsOf(pod);
    const nodeName = Field.of(pod).get('spec', 'nodeName').text();
    const node = nodeName === '' ? undefined : nodes.get(nodeName);
    if (node === undefined) return labels;
    const added: Record<string, string> = {};
    for (const key of TOPOLOGY) {
      const value = node[key];
      if (value !== undefined) added[key] = value;
    }
    return { ...labels, ...added, 'kubernetes.io/hostname': nodeName };
  });
}
