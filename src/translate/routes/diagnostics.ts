// What of the loaded VirtualServices has no effect on this gateway, and why. Istio is silent about nearly all of it. Spec
// virtualservice.md §1.3, §3, §11 item 4, §12, §15, §17.4; the traps of §20.
import { jwtClaim } from '../../config/model/jwt-claim.js';
import type { HttpMatchRequest, HttpRoute } from '../../config/model/virtual-service.js';
import {
  BadSubstitution,
  DelegateConflict,
  DelegateNotFound,
  DelegateNotVisible,
  FaultNeverFires,
  IgnoredBesideReply,
  JwtClaimMatch,
  MatchFitsNoServer,
  MatchSourceIgnored,
  MirrorPercentIgnored,
} from '../../diagnostics/catalogue.js';
import type { Reporter } from '../../diagnostics/diagnostic.js';
import { compileRegex, parseSubstitution } from '../../regex/index.js';
import type { BoundHttpRoute, DelegateProblem } from '../../registry/delegates.js';
import type { PushContext } from '../../registry/push-context.js';
import { allVirtualServices, type BoundVirtualService, delegateProblems } from '../../registry/virtual-services.js';
import type { MergedGateways, MergedServer } from '../gateway-merge.js';
import { isHttpServer } from '../server-protocol.js';
import { reportBinding, serversByGateway } from './binding-diagnostics.js';
import { fitsServer } from './http-routes.js';

/** Reports for all VirtualServices at once; each finding once, whatever the number of servers. */
export function reportRoutes(context: PushContext, gateways: MergedGateways, report: Reporter): void {
  for (const problem of delegateProblems(context)) reportDelegate(problem, report);
  const byGateway = serversByGateway(gateways);
  const said = new Set<string>();
  for (const bound of allVirtualServices(context)) {
    const servers = [...new Set(bound.gateways)].flatMap((gateway) => byGateway.get(gateway) ?? []);
    if (!reportBinding(context, bound, servers, report)) continue;
    const http = servers.filter(({ server }) => isHttpServer(server));
    for (const entry of bound.http) {
      // A delegate's entry may stand in several roots.
      const key = `${entry.from.metadata.namespace}/${entry.from.metadata.name}/${entry.index}`;
      if (!said.has(key)) reportRule(entry, report);
      said.add(key);
      if (http.length > 0) reportMatches(context, bound, entry, http, report);
    }
  }
}

function reportDelegate(problem: DelegateProblem, report: Reporter): void {
  const { root, index, delegate, at } = problem;
  const { namespace, name } = root.metadata;
  const virtualService = `${namespace}/${name}`;
  const origin = root.at(['spec', 'http', index, 'delegate']);
  switch (problem.kind) {
    case 'notFound':
      report(DelegateNotFound, origin, { delegate, virtualService });
      return;
    case 'notVisible':
      report(DelegateNotVisible, origin, { delegate, virtualService, namespace });
      return;
    case 'conflict': {
      const rootRoute = root.spec.http[index]?.name ?? `#${index}`;
      const delegateRoute = at?.resource.spec.http[at.index]?.name ?? `#${at?.index}`;
      const where = at?.resource.at(['spec', 'http', at.index]) ?? origin;
      report(
        DelegateConflict,
        where,
        { rootRoute, delegateRoute },
        { label: `no match here fits one of ${virtualService}` },
      );
      return;
    }
    default:
      problem.kind satisfies never;
  }
}

function reportRule({ route, from, index }: BoundHttpRoute, report: Reporter): void {
  const at = (...path: readonly (string | number)[]) => from.at(['spec', 'http', index, ...path]);
  if (route.mirrors.length > 0 && route.mirror === undefined) {
    for (const field of ['mirrorPercentage', 'mirrorPercent'] as const)
      if (route[field] !== undefined) report(MirrorPercentIgnored, at(field), { field });
  }
  const { delay, abort } = route.fault ?? {};
  if (delay !== undefined && delay.percentage === undefined && (delay.percent ?? 0) === 0)
    report(FaultNeverFires, at('fault', 'delay'), { part: 'delay' });
  if (abort !== undefined && abort.percentage === undefined)
    report(FaultNeverFires, at('fault', 'abort'), { part: 'abort' });
  const action = route.redirect === undefined ? route.directResponse && 'directResponse' : 'redirect';
  if (action !== undefined) {
    const fields = inertBesideReply(route);
    const [first] = fields;
    if (first !== undefined) report(IgnoredBesideReply, at(first), { fields: fields.join(', '), action });
  }
  const regexRewrite = route.rewrite?.uriRegexRewrite;
  if (regexRewrite !== undefined) {
    const regex = compileRegex(regexRewrite.match);
    const reason = regex.kind === 'regex' ? parseSubstitution(regexRewrite.rewrite, regex.groups).error : undefined;
    if (reason !== undefined) report(BadSubstitution, at('rewrite', 'uriRegexRewrite', 'rewrite'), { reason });
  }
  for (const [m, match] of route.match.entries()) {
    for (const field of ['headers', 'withoutHeaders'] as const) {
      for (const header of Object.keys(match[field]))
        if (jwtClaim(header) !== undefined) report(JwtClaimMatch, at('match', m, field, header), { header });
    }
    const source = sourceFields(match);
    const [first] = source;
    if (match.gateways.length > 0 && first !== undefined)
      report(MatchSourceIgnored, at('match', m, first), { fields: source.join(', ') });
  }
}

/** What only forwarding routes look at (§9.2). */
function inertBesideReply(route: HttpRoute): readonly string[] {
  const fields = ['corsPolicy', 'fault', 'timeout', 'retries', 'mirror', 'rewrite'] as const;
  const found: string[] = fields.filter((field) => route[field] !== undefined);
  if (route.mirrors.length > 0) found.push('mirrors');
  return found;
}

function sourceFields(match: HttpMatchRequest): readonly ('sourceLabels' | 'sourceNamespace')[] {
  const fields: ('sourceLabels' | 'sourceNamespace')[] = [];
  if (Object.keys(match.sourceLabels).length > 0) fields.push('sourceLabels');
  if ((match.sourceNamespace ?? '') !== '') fields.push('sourceNamespace');
  return fields;
}

function reportMatches(
  context: PushContext,
  bound: BoundVirtualService,
  entry: BoundHttpRoute,
  servers: readonly MergedServer[],
  report: Reporter,
): void {
  // The lines of merged matches are not known.
  if (entry.from !== bound.resource) return;
  for (const [m, match] of entry.route.match.entries()) {
    const fitting = servers.some(({ gatewayName, writtenPort, server }) =>
      fitsServer(context, match, { gatewayName, port: writtenPort, hasTls: server.tls !== undefined }),
    );
    if (fitting) continue;
    const { field, comparedWith } = whyNot(context, match, servers);
    report(
      MatchFitsNoServer,
      entry.from.at(['spec', 'http', entry.index, 'match', m, field]),
      { virtualService: `${bound.namespace}/${bound.name}`, field, comparedWith },
      { label: 'no route is made of this match' },
    );
  }
}

function whyNot(
  context: PushContext,
  match: HttpMatchRequest,
  servers: readonly MergedServer[],
): { readonly field: string; readonly comparedWith: string } {
  const ports = [...new Set(servers.map((server) => server.writtenPort))];
  const { port = 0 } = match;
  if (port !== 0 && !ports.includes(port))
    return { field: 'port', comparedWith: `the port number of the Gateway server (${ports.join(', ')})` };
  if (match.gateways.length > 0) {
    const names = [...new Set(servers.map((server) => server.gatewayName))];
    return { field: 'gateways', comparedWith: `the Gateway (${names.join(', ')})` };
  }
  const [field = 'port'] = sourceFields(match);
  return field === 'sourceNamespace'
    ? { field, comparedWith: `the namespace of the gateway workload (${context.proxy.namespace})` }
    : { field, comparedWith: field === 'port' ? 'the Gateway server' : 'the labels of the gateway workload' };
}
