// Counters under Envoy's names and their text forms (spec dataplane.md §9, §8.2). Incrementing is one property write:
// whoever counts keeps the Counter object. One store per process, as Envoy has.
import type { ClusterManager } from '../upstream/cluster-manager.js';
import { renderClusterLines } from './cluster-lines.js';

/** A counter or a gauge. */
export interface Counter {
  value: number;
}

const counters = new Map<string, Counter>();
const gauges = new Map<string, Counter>();

/** The counter of that name, made on first use: `listener.0.0.0.0_8443.downstream_cx_total`. */
export function counter(name: string): Counter {
  return getOrMake(counters, name);
}

/** Like `counter`, for values that also fall. */
export function gauge(name: string): Counter {
  return getOrMake(gauges, name);
}

function getOrMake(store: Map<string, Counter>, name: string): Counter {
  let found = store.get(name);
  if (found === undefined) {
    found = { value: 0 };
    store.set(name, found);
  }
  return found;
}

/** Text of `/stats`: `name: value` in alphabetical order, of all names or of those that are `wanted`. */
export function renderStats(wanted?: (name: string) => boolean): string {
  const lines: string[] = [];
  for (const store of [counters, gauges]) {
    for (const [name, { value }] of store) if (wanted === undefined || wanted(name)) lines.push(`${name}: ${value}\n`);
  }
  return lines.sort().join('');
}

/** Text of `/stats/prometheus` (spec dataplane.md §9.3). */
export function renderPrometheus(): string {
  const families = new Map<string, { readonly type: string; readonly lines: string[] }>();
  collectFamilies(counters, 'counter', families);
  collectFamilies(gauges, 'gauge', families);
  const out: string[] = [];
  for (const name of [...families.keys()].sort()) {
    const family = families.get(name);
    if (family !== undefined) out.push(`# TYPE ${name} ${family.type}\n`, ...family.lines.sort());
  }
  return out.join('');
}

function collectFamilies(
  store: ReadonlyMap<string, Counter>,
  type: string,
  families: Map<string, { readonly type: string; readonly lines: string[] }>,
): void {
  for (const [name, { value }] of store) {
    const { family, labels } = extractTags(name);
    let entry = families.get(family);
    if (entry === undefined) {
      entry = { type, lines: [] };
      families.set(family, entry);
    }
    entry.lines.push(`${family}{${labels.join(',')}} ${value}\n`);
  }
}

interface Tag {
  readonly label: string;
  readonly pattern: RegExp;
}

// Istio's tag extractors (spec dataplane.md §9.2): the outer group leaves the name, the inner one is the value.
const TAGS: readonly Tag[] = [
  { label: 'cluster_name', pattern: /^cluster(\.(.+);)/ },
  { label: 'http_conn_manager_prefix', pattern: /^http(\.([^;]+);?)(?=\.)/ },
  { label: 'tcp_prefix', pattern: /^tcp(\.((?:.*?);?))(?=\.\w+$)/ },
  { label: 'listener_address', pattern: /^listener(\.((?:[_.[\]a-fA-F\d]+)))(?=\.[a-z])/ },
  { label: 'response_code', pattern: /_rq(_(\d{3}))$/ },
  { label: 'response_code_class', pattern: /_rq(_(\dxx))$/ },
];

function extractTags(name: string): { family: string; labels: string[] } {
  let rest = name;
  const labels: string[] = [];
  for (const { label, pattern } of TAGS) {
    const match = pattern.exec(rest);
    if (match === null) continue;
    const [, outer = '', value = ''] = match;
    labels.push(`${label}="${value.replace(/;$/, '').replace(/["\\\n]/g, '\\$&')}"`);
    rest = rest.replace(outer, '');
  }
  return { family: `envoy_${rest.replace(/[^a-zA-Z0-9_]/g, '_')}`, labels };
}

/** Text of `/clusters`, sorted by name. */
export function renderClusters(clusters: ClusterManager): string {
  return renderClusterLines(clusters);
}
