// Conditions that a cluster wrote into the status and that say no. Spec validation.md §11 IST0171. Istio:
// conditions/conditions.go.
import { NegativeConditionStatus } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, AnalyzedKind, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';

const GATEWAY_API: readonly AnalyzedKind[] = [
  'GatewayClass',
  'KubernetesGateway',
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
];

const WAYPOINT: ReadonlySet<string> = new Set(['istio.io/WaypointBound']);
const ACCEPTED: ReadonlySet<string> = new Set(['Accepted', 'Programmed', 'ResolvedRefs']);

export const conditions: Analyzer = {
  name: 'conditions.ConditionAnalyzer',
  description: 'Checks for negative status conditions on resources',
  inputs: ['Service', 'ServiceEntry', ...GATEWAY_API],
  messages: [NegativeConditionStatus],
  analyze(context) {
    checkKind(context, 'Service', WAYPOINT);
    checkKind(context, 'ServiceEntry', WAYPOINT);
    for (const kind of GATEWAY_API) checkKind(context, kind, ACCEPTED);
  },
};

function checkKind(context: AnalysisContext, kind: AnalyzedKind, types: ReadonlySet<string>): void {
  for (const object of context.all(kind)) {
    const status = Field.of(object).get('status');
    const groups = [
      status.get('conditions'),
      ...['parents', 'listeners'].flatMap((list) =>
        status
          .get(list)
          .items()
          .map((item) => item.get('conditions')),
      ),
    ];
    for (const condition of groups.flatMap((group) => group.items())) {
      const type = condition.get('type').text();
      if (condition.get('status').text() !== 'False' || !types.has(type)) continue;
      context.report(NegativeConditionStatus, condition.get('status'), {
        type,
        reason: condition.get('reason').text(),
        message: condition.get('message').text(),
      });
    }
  }
}
