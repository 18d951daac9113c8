// Gateways of one workload do not have the same host on the same port. Spec validation.md §11 IST0145, the clean rule.
// Istio: gateway/conflictinggateway.go.
import type { Labels } from '../../config/model/common.js';
import { labelsMatch } from '../../config/model/labels.js';
import type { WrittenObject } from '../../config/written-object.js';
import { ConflictingGateways, ReferencedResourceNotFound } from '../../diagnostics/catalogue.js';
import type { AnalysisContext, Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { fullName, gatewaySelector, labelsOf, printSelector } from '../selector.js';
import { reportNoPod } from './gateway-ports.js';

/** What one Gateway has on one port: the hosts of its last server there, each with the bind. */
interface KnownHosts {
  readonly gateway: WrittenObject;
  readonly binds: ReadonlyMap<string, string>;
}

/** All Gateways of one selector and port. */
interface Group {
  readonly selector: Labels;
  readonly printedSelector: string;
  readonly port: number;
  readonly byGateway: Map<WrittenObject, KnownHosts>;
}

export const conflictingGateways: Analyzer = {
  name: 'gateway.ConflictingGatewayAnalyzer',
  description: "Checks a gateway's selector, port number and hosts",
  inputs: ['Gateway', 'Pod'],
  messages: [ConflictingGateways, ReferencedResourceNotFound],
  analyze(context) {
    const byPort = indexGateways(context);
    const overlap = selectorOverlap(context);
    for (const gateway of context.all('Gateway')) {
      const selector = gatewaySelector(gateway);
      const printedSelector = printSelector(selector);
      const servers = Field.of(gateway).get('spec', 'servers').items();
      if (servers.length === 0 && printedSelector !== '' && !isKnown(byPort, printedSelector))
        reportNoPod(context, gateway);
      for (const server of servers) {
        const port = server.get('port', 'number').number();
        const conflicting = new Set<string>();
        for (const group of byPort.get(port) ?? []) {
          if (group.printedSelector !== printedSelector && !overlap(selector, printedSelector, group)) continue;
          for (const name of conflictsIn(group, gateway, server)) conflicting.add(name);
        }
        if (conflicting.size === 0) continue;
        context.report(ConflictingGateways, server.get('hosts'), {
          gateways: [...conflicting].join(','),
          selector: printedSelector,
          port: String(port),
          hosts: server.get('hosts').texts().join(','),
        });
      }
    }
  },
};

function indexGateways(context: AnalysisContext): ReadonlyMap<number, readonly Group[]> {
  const groups = new Map<string, Group>();
  const byPort = new Map<number, Group[]>();
  for (const gateway of context.all('Gateway')) {
    const selector = gatewaySelector(gateway);
    const printedSelector = printSelector(selector);
    for (const server of Field.of(gateway).get('spec', 'servers').items()) {
      const port = server.get('port', 'number').number();
      const key = `${printedSelector}~${port}`;
      let group = groups.get(key);
      if (group === undefined) {
        group = { selector, printedSelector, port, byGateway: new Map() };
        groups.set(key, group);
        const list = byPort.get(port);
        if (list === undefined) byPort.set(port, [group]);
        else list.push(group);
      }
      const bind = server.get('bind').text();
      const binds = new Map(
        server
          .get('hosts')
          .texts()
          .map((host) => [host, bind] as const),
      );
      group.byGateway.set(gateway, { gateway, binds });
    }
  }
  return byPort;
}

function isKnown(byPort: ReadonlyMap<number, readonly Group[]>, printedSelector: string): boolean {
  return [...byPort.values()].some((groups) => groups.some((group) => group.printedSelector.includes(printedSelector)));
}

/** One selector contains the other as text, and some Pod has the labels of both. */
function selectorOverlap(context: AnalysisContext): (selector: Labels, printed: string, group: Group) => boolean {
  const answers = new Map<string, boolean>();
  const pods = context.all('Pod').map(labelsOf);
  return (selector, printed, group) => {
    if (!printed.includes(group.printedSelector) && !group.printedSelector.includes(printed)) return false;
    const key = `${printed} ${group.printedSelector}`;
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = pods.some((labels) => labelsMatch(selector, labels) && labelsMatch(group.selector, labels));
      answers.set(key, answer);
    }
    return answer;
  };
}

const hostIndexes = new WeakMap<Group, ReadonlyMap<string, readonly KnownHosts[]>>();

/** Other Gateways of the group with one of the server's hosts, textually equal, on the same bind. */
function conflictsIn(group: Group, gateway: WrittenObject, server: Field): readonly string[] {
  let index = hostIndexes.get(group);
  if (index === undefined) {
    index = indexHosts(group);
    hostIndexes.set(group, index);
  }
  const bind = server.get('bind').text();
  const found = new Set<WrittenObject>();
  for (const host of server.get('hosts').texts()) {
    for (const known of index.get(host) ?? [])
      if (known.gateway !== gateway && known.binds.get(host) === bind) found.add(known.gateway);
  }
  if (found.size === 0) return [];
  return [...group.byGateway.keys()].filter((other) => found.has(other)).map(fullName);
}

function indexHosts(group: Group): ReadonlyMap<string, readonly KnownHosts[]> {
  const index = new Map<string, KnownHosts[]>();
  for (const known of group.byGateway.values()) {
    for (const host of known.binds.keys()) {
      const list = index.get(host);
      if (list === undefined) index.set(host, [known]);
      else list.push(known);
    }
  }
  return index;
}
