// What a gateway's own workload says about its proxy. istiod reads ProxyConfig from an annotation of the pod, over
// MeshConfig's (spec gateway.md §12.1); postern does not read the workload, so that has to be said.
import { entryOf, type YamlEntry, type YamlNode } from './yaml/tree.js';

const PROXY_CONFIG = 'proxy.istio.io/config';

/** Kinds that make a gateway's pods, and the way to the metadata of these pods. */
const POD_METADATA: ReadonlyMap<string, readonly string[]> = new Map([
  ['Pod', ['metadata']],
  ['Deployment', ['spec', 'template', 'metadata']],
  ['DaemonSet', ['spec', 'template', 'metadata']],
]);

/** The annotation with ProxyConfig, if `root` is the workload of a gateway and has one; sidecars have it too. */
export function proxyConfigAnnotation(root: YamlNode, kind: string): YamlEntry | undefined {
  const way = POD_METADATA.get(kind);
  if (way === undefined) return undefined;
  let metadata: YamlNode | undefined = root;
  for (const key of way) metadata = metadata === undefined ? undefined : entryOf(metadata, key)?.value;
  const annotations = metadata === undefined ? undefined : entryOf(metadata, 'annotations')?.value;
  if (metadata === undefined || annotations === undefined || !isGateway(metadata, annotations)) return undefined;
  return entryOf(annotations, PROXY_CONFIG);
}

// Injected gateways name the template; those of the charts before that have the label alone.
function isGateway(metadata: YamlNode, annotations: YamlNode): boolean {
  const template = entryOf(annotations, 'inject.istio.io/templates')?.value;
  if (template?.kind === 'scalar' && String(template.value).split(',').includes('gateway')) return true;
  const labels = entryOf(metadata, 'labels')?.value;
  return labels !== undefined && entryOf(labels, 'istio') !== undefined;
}
