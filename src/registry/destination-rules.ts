// Which DestinationRule counts for a host on this gateway: sorting, merging and lookup. Spec destinations.md §2.1–2.5.
// Source: istio/istio pilot/pkg/model/push_context.go (setDestinationRules, destinationRule), destination_rule.go
// (mergeDestinationRule).

import { labelsMatch } from '../config/model/labels.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import { compareText } from '../config/text-order.js';
import type { GatewayProxy, MergedDestinationRule } from './push-context.js';
import { resolveShortName } from './virtual-services.js';

type Rule = Resource<'DestinationRule'>;

interface MergedEntry {
  merged: MergedDestinationRule;
  readonly exportTo: ReadonlySet<string>;
  readonly hasSelector: boolean;
}

/** Rules, merged, by host. */
export interface DestinationRuleIndex {
  /** The rule that applies to a host of a service in `namespace`. */
  find(hostname: string, namespace: string): MergedDestinationRule | undefined;
}

/** Merges rules for one host as istiod does, oldest first. */
export function indexDestinationRules(store: Store, proxy: GatewayProxy, rootNamespace: string): DestinationRuleIndex {
  const local = new Map<string, HostIndex>();
  const exported = new Map<string, HostIndex>();
  const rootPrivate = new HostIndex();
  const isPrivateByDefault = (store.mesh.defaultDestinationRuleExportTo ?? ['*']).includes('.');
  for (const rule of sortRules(store.all('DestinationRule'))) {
    const { namespace } = rule.metadata;
    const host = resolveShortName(rule.spec.host, namespace, proxy.domain);
    const exportTo = exportSet(rule);
    if (exportTo.size === 0 || exportTo.has('*') || exportTo.has('.') || exportTo.has(namespace))
      indexOf(local, namespace).add(host, rule, exportTo);
    const isPrivate =
      exportTo.size === 0 ? isPrivateByDefault : exportTo.size === 1 && (exportTo.has('.') || exportTo.has(namespace));
    if (!isPrivate) indexOf(exported, namespace).add(host, rule, exportTo);
    else if (namespace === rootNamespace) rootPrivate.add(host, rule, exportTo);
  }
  const visible = (index: HostIndex | undefined, hostname: string): readonly MergedEntry[] =>
    (index?.best(hostname) ?? []).filter(
      ({ exportTo }) => exportTo.size === 0 || exportTo.has('*') || exportTo.has(proxy.namespace),
    );
  return {
    find(hostname, namespace): MergedDestinationRule | undefined {
      const near = proxy.namespace === rootNamespace ? rootPrivate : local.get(proxy.namespace);
      let list = near?.best(hostname) ?? [];
      if (list.length === 0) list = visible(exported.get(namespace), hostname);
      if (list.length === 0) list = visible(exported.get(rootNamespace), hostname);
      return choose(list, proxy);
    },
  };
}

// Rules with a workloadSelector come first; the store is already in order of age, name and namespace.
function sortRules(rules: readonly Rule[]): readonly Rule[] {
  return [
    ...rules.filter((rule) => rule.spec.workloadSelector !== undefined),
    ...rules.filter((rule) => rule.spec.workloadSelector === undefined),
  ];
}

function exportSet(rule: Rule): ReadonlySet<string> {
  return rule.spec.workloadSelector === undefined ? new Set(rule.spec.exportTo ?? []) : new Set(['.']);
}

// The first rule whose selector fits the gateway, else the last rule without one (spec destinations.md §2.5): that is
// how a later rule with another exportTo hides all earlier ones.
function choose(list: readonly MergedEntry[], proxy: GatewayProxy): MergedDestinationRule | undefined {
  let last: MergedDestinationRule | undefined;
  for (const { merged, hasSelector } of list) {
    const first = merged.from[0];
    if (!hasSelector) last = merged;
    else if (
      first?.metadata.namespace === proxy.namespace &&
      labelsMatch(merged.spec.workloadSelector?.matchLabels ?? {}, proxy.labels)
    )
      return merged;
  }
  return last;
}

function indexOf(indexes: Map<string, HostIndex>, namespace: string): HostIndex {
  const found = indexes.get(namespace) ?? new HostIndex();
  indexes.set(namespace, found);
  return found;
}

class HostIndex {
  private readonly exact = new Map<string, MergedEntry[]>();
  /** Longest first; equal lengths in alphabetical order. */
  private wildcards: { readonly host: string; readonly entries: MergedEntry[] }[] = [];

  add(host: string, rule: Rule, exportTo: ReadonlySet<string>): void {
    const entries = this.entriesOf(host);
    let isStored = false;
    let isMerged = false;
    for (const entry of [...entries]) {
      const isSame = sameSet(entry.exportTo, exportTo);
      const isSuperset = !isSame && entry.exportTo.size > 0 && [...entry.exportTo].every((to) => exportTo.has(to));
      if ((!isSame && !isSuperset) || !mergeableSelectors(entry.merged.spec.workloadSelector, rule)) continue;
      entry.merged = merge(entry.merged, rule);
      isMerged = true;
      // A rule that reaches further than the one it was merged into also stands on its own.
      if (isSuperset) isStored = true;
    }
    if (isMerged && !isStored) return;
    entries.push({
      merged: { spec: rule.spec, from: [rule] },
      exportTo,
      hasSelector: rule.spec.workloadSelector !== undefined,
    });
  }

  best(hostname: string): readonly MergedEntry[] {
    const exact = this.exact.get(hostname);
    if (exact !== undefined) return exact;
    for (const { host, entries } of this.wildcards) {
      if (host === hostname) return entries;
      if (hostname.endsWith(host.slice(1)) && hostname.length >= host.length) return entries;
    }
    return [];
  }

  private entriesOf(host: string): MergedEntry[] {
    if (!host.startsWith('*')) {
      const entries = this.exact.get(host) ?? [];
      this.exact.set(host, entries);
      return entries;
    }
    const found = this.wildcards.find((candidate) => candidate.host === host);
    if (found !== undefined) return found.entries;
    const entries: MergedEntry[] = [];
    this.wildcards = [...this.wildcards, { host, entries }].sort(
      (a, b) => b.host.length - a.host.length || compareText(a.host, b.host),
    );
    return entries;
  }
}

function mergeableSelectors(
  selector: { readonly matchLabels: Readonly<Record<string, string>> } | undefined,
  rule: Rule,
): boolean {
  const other = rule.spec.workloadSelector;
  if (selector === undefined || other === undefined) return true;
  return labelsMatch(selector.matchLabels, other.matchLabels) && labelsMatch(other.matchLabels, selector.matchLabels);
}

// The first trafficPolicy and the first definition of each subset win whole; nothing below is merged (§2.3).
function merge(merged: MergedDestinationRule, rule: Rule): MergedDestinationRule {
  const names = new Set(merged.spec.subsets.map((subset) => subset.name));
  const trafficPolicy = merged.spec.trafficPolicy ?? rule.spec.trafficPolicy;
  return {
    spec: {
      ...merged.spec,
      ...(trafficPolicy === undefined ? {} : { trafficPolicy }),
      subsets: [...merged.spec.subsets, ...rule.spec.subsets.filter((subset) => !names.has(subset.name))],
    },
    from: [...merged.from, rule],
  };
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((value) => b.has(value));
}
