// DestinationRules, or parts of them, that do nothing on this gateway. Spec destinations.md §2.3, §2.4, §7.1, §7.2,
// §10.3, §14.3.
import type { TrafficPolicy } from '../../config/model/destination-rule.js';
import { isWildcard, subsetOf } from '../../config/model/host-name.js';
import type { FieldPath, Resource } from '../../config/model/resource.js';
import {
  MutualWithoutCertificate,
  OutlierNeverEjects,
  RuleNotUsed,
  RulePolicyLost,
  RuleWithoutService,
  UpstreamNameUnchecked,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import type { MergedDestinationRule, PushContext } from '../../registry/push-context.js';
import { resolveShortName } from '../../registry/virtual-services.js';
import { outboundClusterName } from '../names.js';
import { type BuiltClusterIndex, ruleName } from './destination-diagnostics.js';

type Rule = Resource<'DestinationRule'>;

/** Reports every rule of the store once. */
export function reportRules(context: PushContext, built: BuiltClusterIndex, report: Reporter): void {
  const merged = new Set<MergedDestinationRule>();
  for (const rule of context.store.all('DestinationRule')) {
    const host = resolveShortName(rule.spec.host, rule.metadata.namespace, context.proxy.domain);
    const hostnames = hostnamesOf(context, host);
    if (hostnames.length === 0) {
      // A wildcard may be meant for services that come later, and a private service is somebody else's.
      if (!isWildcard(host) && !isDeclared(context, host))
        report(RuleWithoutService, rule.at(['spec', 'host']), { rule: ruleName(rule), host });
      continue;
    }
    const winners = hostnames.map((hostname) => context.destinationRule(hostname));
    const own = winners.find((winner) => winner?.from.includes(rule));
    if (own !== undefined) {
      merged.add(own);
      checkPolicies(context, rule, hostnames[winners.indexOf(own)] ?? host, built, report);
    } else reportUnused(context, rule, hostnames[0] ?? host, winners[0], report);
  }
  for (const winner of merged) reportLostParts(winner, report);
}

function hostnamesOf(context: PushContext, host: string): readonly string[] {
  if (!isWildcard(host)) return context.service(host) === undefined ? [] : [host];
  return context.services.map(({ hostname }) => hostname).filter((hostname) => subsetOf(hostname, host));
}

function isDeclared(context: PushContext, host: string): boolean {
  const [name = '', namespace = ''] = host.split('.');
  return (
    context.store.get('Service', namespace, name) !== undefined ||
    context.store.all('ServiceEntry').some(({ spec }) => spec.hosts.includes(host))
  );
}

function reportUnused(
  context: PushContext,
  rule: Rule,
  host: string,
  winner: MergedDestinationRule | undefined,
  report: Reporter,
): void {
  // Meant for other workloads than this gateway.
  if (rule.spec.workloadSelector !== undefined) return;
  const reason = reasonOf(context, host, winner?.from[0]);
  report(RuleNotUsed, rule.at(['spec', 'host']), { rule: ruleName(rule), host, reason });
}

function reasonOf(context: PushContext, host: string, winner: Rule | undefined): string {
  if (winner !== undefined) return `DestinationRule ${ruleName(winner)} does`;
  const service = context.service(host);
  if (service?.externalName !== undefined) return `it is an ExternalName, rules of ${service.externalName} count`;
  const namespace = service?.namespace ?? '';
  return `it is not exported to ${context.proxy.namespace}, or its namespace is neither ${namespace} nor the root namespace`;
}

function reportLostParts({ from }: MergedDestinationRule, report: Reporter): void {
  let policyOf: Rule | undefined;
  const subsets = new Map<string, Rule>();
  for (const rule of from) {
    if (rule.spec.trafficPolicy !== undefined) {
      if (policyOf !== undefined) lost(rule, policyOf, 'trafficPolicy', ['spec', 'trafficPolicy'], report);
      policyOf ??= rule;
    }
    for (const [index, { name }] of rule.spec.subsets.entries()) {
      const earlier = subsets.get(name);
      if (earlier !== undefined && earlier !== rule)
        lost(rule, earlier, `subset ${name}`, ['spec', 'subsets', index], report);
      else subsets.set(name, rule);
    }
  }
}

function lost(rule: Rule, first: Rule, field: string, path: FieldPath, report: Reporter): void {
  report(RulePolicyLost, rule.at(path), { field, rule: ruleName(rule), first: ruleName(first) });
}

function checkPolicies(
  context: PushContext,
  rule: Rule,
  hostname: string,
  built: BuiltClusterIndex,
  report: Reporter,
): void {
  const policies: readonly (readonly [TrafficPolicy | undefined, string, FieldPath])[] = [
    [rule.spec.trafficPolicy, '', ['spec', 'trafficPolicy']],
    ...rule.spec.subsets.map(
      (subset, index) => [subset.trafficPolicy, subset.name, ['spec', 'subsets', index, 'trafficPolicy']] as const,
    ),
  ];
  const port = context.service(hostname)?.ports[0]?.port ?? 0;
  for (const [policy, subset, path] of policies) {
    if (policy === undefined) continue;
    const cluster = outboundClusterName(hostname, port, subset);
    checkTls(policy, cluster, hostname, rule, path, report);
    const percent = policy.outlierDetection?.maxEjectionPercent || 10;
    const endpoints = built.endpoints[cluster]?.length ?? 0;
    if (policy.outlierDetection !== undefined && endpoints > 0 && Math.floor((endpoints * percent) / 100) === 0)
      report(OutlierNeverEjects, rule.at([...path, 'outlierDetection']), { host: hostname, percent, endpoints });
  }
}

function checkTls(
  { tls }: TrafficPolicy,
  cluster: string,
  host: string,
  rule: Rule,
  path: FieldPath,
  report: Reporter,
): void {
  if (tls === undefined || (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL')) return;
  const isEmpty = (text: string | undefined): boolean => text === undefined || text === '';
  if (
    tls.mode === 'MUTUAL' &&
    isEmpty(tls.credentialName) &&
    (isEmpty(tls.clientCertificate) || isEmpty(tls.privateKey))
  )
    report(MutualWithoutCertificate, rule.at([...path, 'tls']), { cluster });
  if (!isEmpty(tls.sni) && tls.subjectAltNames.length === 0 && tls.insecureSkipVerify !== true)
    report(UpstreamNameUnchecked, rule.at([...path, 'tls', 'sni']), { host });
}
