// False confidence: what is in use and not emulated, so that a contract that passes here might fail in the cluster.
// Policies and filters count when they bind to the gateway's workload, fields wherever they are written.
import type { Source } from '../config/load.js';
import { SourceFile } from '../config/source-file.js';
import { parseYaml } from '../config/yaml/parse.js';
import { entryOf, textOf, type YamlNode } from '../config/yaml/tree.js';
import { AllowedButNotInUse, FieldNotEmulated, KindNotEmulated, NotEmulatedInUse } from '../diagnostics/catalogue.js';
import { createDiagnostic, type Diagnostic } from '../diagnostics/diagnostic.js';
import type { Origin } from '../diagnostics/origin.js';
import type { Configuration } from '../gateway/compile.js';
import type { Contract } from './contract.js';
import { scalarText, under } from './decode-expectation.js';

/** Kinds that change what requests come to; the rest of what is not read changes logs, other proxies or nothing. */
const BINDING_KINDS: ReadonlySet<string> = new Set([
  'AuthorizationPolicy',
  'RequestAuthentication',
  'EnvoyFilter',
  'WasmPlugin',
  'TrafficExtension',
]);

/** Something in use, under all names that an exception may give it. */
interface Finding {
  readonly diagnostic: Diagnostic;
  readonly names: readonly string[];
}

/** `refused` fails the run; `unused` are exceptions that fit nothing. */
export interface UnemulatedResult {
  readonly refused: readonly Diagnostic[];
  /** What would accept each of these. */
  readonly exceptions: readonly string[];
  readonly unused: readonly Diagnostic[];
}

/** Looks through what was loaded; `allowed` comes from the contract, 'all' also from a flag. */
export function findUnemulated(
  sources: readonly Source[],
  compiled: Configuration,
  allowed: Contract['gateway']['allowUnemulated'],
  allowedOrigin: Origin,
  namespace: string,
): UnemulatedResult {
  if (allowed === 'all') return { refused: [], exceptions: [], unused: [] };
  const findings = [...bindingObjects(sources, compiled, namespace), ...fields(compiled)];
  const used = new Set<string>();
  const refused: Diagnostic[] = [];
  const exceptions = new Set<string>();
  for (const { diagnostic, names } of findings) {
    const fitting = allowed.filter((name) => names.includes(name));
    for (const name of fitting) used.add(name);
    if (fitting.length > 0) continue;
    refused.push(diagnostic);
    exceptions.add(names[names.length - 1] ?? '');
  }
  const unused = allowed
    .filter((name) => !used.has(name))
    .map((name) => createDiagnostic(AllowedButNotInUse, allowedOrigin, { name }));
  return { refused, exceptions: [...exceptions], unused };
}

function bindingObjects(sources: readonly Source[], compiled: Configuration, namespace: string): Finding[] {
  const files = new Set<string>();
  for (const { code, origin } of compiled.diagnostics) {
    if (code === KindNotEmulated.code && origin !== undefined) files.add(origin.file);
  }
  const findings: Finding[] = [];
  for (const source of sources) {
    if (!files.has(source.file)) continue;
    const file = new SourceFile(source.file, source.text);
    for (const { root } of parseYaml(file.text)) {
      for (const object of root === undefined ? [] : objectsIn(root)) {
        const kind = textOf(object, 'kind') ?? '';
        if (!BINDING_KINDS.has(kind) || !bindsToGateway(object, kind, compiled, namespace)) continue;
        const metadata = under(object, 'metadata');
        const resource = `${kind}/${namespaceOf(object, namespace)}/${scalarText(under(metadata, 'name'))}`;
        const origin = file.origin(entryOf(object, 'kind')?.keySpan ?? object, resource);
        const diagnostic = createDiagnostic(NotEmulatedInUse, origin, { what: resource });
        findings.push({ diagnostic, names: [kind, resource] });
      }
    }
  }
  return findings;
}

function objectsIn(root: YamlNode): readonly YamlNode[] {
  const items = under(root, 'items');
  return items?.kind === 'list' ? items.items : [root];
}

function namespaceOf(object: YamlNode, otherwise: string): string {
  const written = under(under(object, 'metadata'), 'namespace');
  return written === undefined ? otherwise : scalarText(written);
}

/** In the gateway's namespace or the root's, and with labels that the gateway's pod has. */
function bindsToGateway(object: YamlNode, kind: string, compiled: Configuration, namespace: string): boolean {
  const { proxy, rootNamespace } = compiled;
  const own = namespaceOf(object, namespace);
  if (own !== proxy.namespace && own !== rootNamespace) return false;
  const spec = under(object, 'spec');
  // References are to gateways of the Kubernetes API and to waypoints, which this workload is not.
  if (under(spec, 'targetRef') !== undefined || under(spec, 'targetRefs') !== undefined) return false;
  const labels =
    kind === 'EnvoyFilter'
      ? under(under(spec, 'workloadSelector'), 'labels')
      : under(under(spec, 'selector'), 'matchLabels');
  if (labels?.kind === 'map' && !labels.entries.every(({ key, value }) => proxy.labels[key] === scalarText(value))) {
    return false;
  }
  return kind !== 'EnvoyFilter' || patchesGateways(spec);
}

function patchesGateways(spec: YamlNode | undefined): boolean {
  const patches = under(spec, 'configPatches');
  if (patches?.kind !== 'list') return false;
  return patches.items.some((patch) => {
    const context = scalarText(under(under(patch, 'match'), 'context'));
    return context === '' || context === 'ANY' || context === 'GATEWAY';
  });
}

function fields(compiled: Configuration): Finding[] {
  const findings: Finding[] = [];
  for (const { code, message, origin } of compiled.diagnostics) {
    if (code !== FieldNotEmulated.code) continue;
    // The message begins with the path of the field, which is all that is known of it here.
    const path = message.slice(0, message.indexOf(' '));
    const resource = origin?.resource ?? '';
    const kind = resource.slice(0, resource.indexOf('/'));
    const what = resource === '' ? path : `${path} of ${resource}`;
    const anywhere = path.replace(/\[\d+\]/g, '[]');
    findings.push({
      diagnostic: createDiagnostic(NotEmulatedInUse, origin, { what }),
      names: [path, anywhere, resource, `${kind}.${anywhere}`],
    });
  }
  return findings;
}
