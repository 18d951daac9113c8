// How the analyzers find the service of a host: by scope and name, without what istiod's registry knows. Spec
// validation.md §10.4 (home). Istio: pkg/config/analysis/analyzers/util/service_lookup.go.
import type { Labels } from '../../config/model/common.js';
import type { WrittenObject } from '../../config/written-object.js';
import type { AnalysisContext } from '../analyzer.js';
import { Field } from '../field.js';

/** A Service or ServiceEntry that a host may name. */
export interface AnalyzedService {
  readonly ports: readonly number[];
  /** Labels of a ServiceEntry's workload selector. */
  readonly workloadLabels: Labels;
}

/** Finds the service of a host as written, for an object of this namespace with this exportTo. */
export type FindService = (namespace: string, exportTo: readonly string[], host: string) => AnalyzedService | undefined;

/** `reviews` becomes `reviews.ns.svc.cluster.local`; wildcards and whatever has a dot stay as they are. */
export function expandHost(namespace: string, host: string): string {
  return host.startsWith('*') || host.includes('.') ? host : `${host}.${namespace}.svc.cluster.local`;
}

/** Scopes of exportTo: `*` for all, otherwise namespaces. */
export function exportScopes(exportTo: readonly string[], namespace: string): ReadonlySet<string> {
  if (exportTo.length === 0 || exportTo.includes('*')) return new Set(['*']);
  return new Set(exportTo.map((scope) => (scope === '.' ? namespace : scope)));
}

/** Indexes the ServiceEntries and Services of the context, once per context. */
export function serviceLookup(context: AnalysisContext): FindService {
  // Always read, so that the declared inputs are the same whoever asked first.
  const entries = context.all('ServiceEntry');
  const services = context.all('Service');
  const known = lookups.get(services);
  if (known !== undefined) return known;
  const find = buildLookup(entries, services);
  lookups.set(services, find);
  return find;
}

const lookups = new WeakMap<readonly WrittenObject[], FindService>();

function buildLookup(entries: readonly WrittenObject[], services: readonly WrittenObject[]): FindService {
  const exact = new Map<string, AnalyzedService>();
  const wildcards: { readonly scope: string; readonly suffix: string; readonly service: AnalyzedService }[] = [];
  const add = (scope: string, host: string, service: AnalyzedService): void => {
    exact.set(`${scope}/${host}`, service);
    if (host.startsWith('*')) wildcards.push({ scope, suffix: host.slice(1), service });
  };
  for (const entry of entries) {
    const spec = Field.of(entry).get('spec');
    const service: AnalyzedService = {
      ports: spec
        .get('ports')
        .items()
        .map((port) => port.get('number').number()),
      workloadLabels: spec.get('workloadSelector', 'labels').labels(),
    };
    for (const host of spec.get('hosts').texts()) {
      for (const scope of exportScopes(spec.get('exportTo').texts(), entry.namespace))
        add(scope, expandHost(entry.namespace, host), service);
    }
  }
  for (const object of services) {
    const service: AnalyzedService = {
      ports: Field.of(object)
        .get('spec', 'ports')
        .items()
        .map((port) => port.get('port').number()),
      workloadLabels: {},
    };
    const annotation = Field.of(object).get('metadata', 'annotations', 'networking.istio.io/exportTo').text();
    const scopes = annotation === '' ? ['*'] : annotation.split(',').map((scope) => scope.trim());
    for (const scope of scopes)
      add(scope === '.' ? object.namespace : scope, expandHost(object.namespace, object.name), service);
  }
  return (namespace, exportTo, host) => {
    const name = expandHost(namespace, host);
    const everywhere = exact.get(`*/${name}`);
    if (everywhere !== undefined) return everywhere;
    for (const scope of exportTo.length === 0 ? ['.'] : exportTo) {
      const found = exact.get(`${scope === '.' ? namespace : scope}/${name}`);
      if (found !== undefined) return found;
    }
    const text = host.startsWith('*') ? host.slice(1) : host;
    return wildcards.find(({ scope, suffix }) => (scope === '*' || scope === namespace) && text.endsWith(suffix))
      ?.service;
  };
}
