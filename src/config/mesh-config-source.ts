// MeshConfig from a file or from the ConfigMap `istio` in the root namespace. Spec destinations.md §1.9.
import { MeshConfigNotRead, YamlDuplicateKey, YamlSyntax } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import { Place } from './decode/place.js';
import { typeWord } from './decode/value-type.js';
import { meshConfig } from './fields/mesh-config.js';
import type { LoadedResource } from './loaded-resource.js';
import type { MeshConfig, ProxyConfig } from './model/mesh-config.js';
import { parseYaml } from './yaml/parse.js';
import { entryOf, isNull, type Span, type YamlScalar } from './yaml/tree.js';

/** A text that holds MeshConfig, and where its parts are. */
export interface MeshConfigText {
  readonly text: string;
  /** Of a span of `text`. */
  origin(span: Span): Origin;
}

/** Reads MeshConfig. `undefined` after an error, or where nothing is written. */
export function loadMeshConfig(source: MeshConfigText, report: Reporter): MeshConfig | undefined {
  const [document] = parseYaml(source.text);
  for (const problem of document?.problems ?? []) {
    const origin = source.origin(problem.span);
    if (problem.kind === 'syntax') report(YamlSyntax, origin, { reason: problem.reason }, { refusedBy: 'strict' });
    else report(YamlDuplicateKey, origin, { key: problem.key, firstLine: source.origin(problem.first).line });
  }
  const root = document?.root;
  if (root === undefined || isNull(root)) return undefined;
  const place = Place.root({
    strictness: 'lenient',
    report: (type, span, parameters, details) => report(type, source.origin(span), parameters, details),
  });
  if (root.kind !== 'map') {
    report(MeshConfigNotRead, source.origin(root), { found: typeWord(root) }, { refusedBy: 'strict' });
    return undefined;
  }
  return meshConfig.read(root, place);
}

/** The text under the key `mesh`. */
export function meshConfigMapText(configMap: LoadedResource): MeshConfigText | undefined {
  const data = entryOf(configMap.root, 'data')?.value;
  const node = data === undefined ? undefined : entryOf(data, 'mesh')?.value;
  if (node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  const inside = node.literal ? insideLiteral(node, configMap.file.text, node.value) : undefined;
  const whole = configMap.at(['data', 'mesh']);
  return {
    text: node.value,
    origin: (span) => (inside === undefined ? whole : configMap.originOf(inside(span))),
  };
}

// A `|` block is its text moved to the right, so a place in the text is a place in the file.
function insideLiteral(node: YamlScalar, file: string, text: string): ((span: Span) => Span) | undefined {
  const firstLine = file.indexOf('\n', node.start) + 1;
  const written = file.slice(firstLine).split('\n', 1)[0] ?? '';
  const firstText = text.split('\n', 1)[0] ?? '';
  const indent = written.replace(/\r$/, '').length - firstText.length;
  if (firstLine === 0 || firstText === '' || indent < 0 || !written.endsWith(firstText)) return undefined;
  const newline = file.charAt(firstLine + written.length - 1) === '\r' ? 2 : 1;
  const lineStarts = [firstLine];
  for (const line of text.split('\n')) {
    const start = lineStarts.at(-1) ?? firstLine;
    // Blank lines need not be indented.
    const full =
      line === '' ? (file.slice(start).split('\n', 1)[0] ?? '').replace(/\r$/, '').length : indent + line.length;
    lineStarts.push(start + full + newline);
  }
  const toFile = (offset: number): number => {
    const before = text.slice(0, offset).split('\n');
    return (lineStarts[before.length - 1] ?? firstLine) + indent + (before.at(-1)?.length ?? 0);
  };
  return (span) => ({ start: toFile(span.start), end: toFile(span.end) });
}

/**
 * One MeshConfig over another: its fields win, but defaultConfig is merged field by field, as istiod does it
 * (istio: pkg/config/mesh/mesh.go ApplyMeshConfig).
 */
export function mergeMeshConfig(mesh: MeshConfig, over: MeshConfig): MeshConfig {
  const defaultConfig = mergeProxyConfig(mesh.defaultConfig, over.defaultConfig);
  return { ...mesh, ...over, ...(defaultConfig === undefined ? {} : { defaultConfig }) };
}

function mergeProxyConfig(config: ProxyConfig | undefined, over: ProxyConfig | undefined): ProxyConfig | undefined {
  if (config === undefined || over === undefined) return over ?? config;
  const proxyMetadata = { ...config.proxyMetadata, ...over.proxyMetadata };
  return { ...config, ...over, ...(Object.keys(proxyMetadata).length === 0 ? {} : { proxyMetadata }) };
}
