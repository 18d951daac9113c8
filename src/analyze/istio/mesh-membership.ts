// Which workloads have a sidecar. Istio: pkg/config/analysis/analyzers/util/in_mesh.go.
import type { Labels } from '../../config/model/common.js';
import type { WrittenObject } from '../../config/written-object.js';
import type { AnalysisContext } from '../analyzer.js';
import { Field } from '../field.js';
import { labelsOf } from '../selector.js';

const INJECT = 'sidecar.istio.io/inject';

/** True for a Pod with a sidecar. */
export function isPodInMesh(context: AnalysisContext, pod: WrittenObject): boolean {
  return isInMesh(context, Field.of(pod), pod.namespace);
}

/** True for a Deployment whose Pods get a sidecar. */
export function isDeploymentInMesh(context: AnalysisContext, deployment: WrittenObject): boolean {
  return isInMesh(context, Field.of(deployment).get('spec', 'template'), deployment.namespace);
}

function isInMesh(context: AnalysisContext, template: Field, namespace: string): boolean {
  const spec = template.get('spec');
  if (hasProxy([...spec.get('containers').items(), ...spec.get('initContainers').items()])) return true;
  const told =
    injectWord(template.get('metadata', 'labels').labels()) ??
    injectWord(template.get('metadata', 'annotations').labels());
  if (told !== undefined) return told === 'true';
  const object = context.find('Namespace', '', namespace);
  return object !== undefined && labelsOf(object)['istio-injection'] === 'enabled';
}

/** True where a container istio-proxy names its image. */
export function hasProxy(containers: readonly Field[]): boolean {
  const proxy = containers.find((container) => container.get('name').text() === 'istio-proxy');
  return proxy !== undefined && proxy.get('image').text() !== '';
}

function injectWord(words: Labels): string | undefined {
  return Object.hasOwn(words, INJECT) ? words[INJECT] : undefined;
}
