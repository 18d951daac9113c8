// The table of fields: complete, consistent, and what the decoders go by.
import t from 'tap';
import { listFields } from '../../src/config/fields.js';
import { loadConfig } from '../../src/config/load.js';
import { askWebhook } from '../../src/config/validate/webhook.js';
import { parseYaml } from '../../src/config/yaml/parse.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';

const fields = listFields();
const find = (kind: string, path: string): unknown =>
  fields.find((field) => field.kind === kind && field.path === path);

t.test('a row for every field', async (t) => {
  t.match(find('Gateway', 'spec.servers[].port.number'), {
    type: 'uint32',
    status: 'emulated',
    note: '',
    required: true,
    message: { name: 'Port' },
  });
  t.match(find('VirtualService', 'spec.http[].match[].headers{}.exact'), { type: 'string' });
  t.match(find('VirtualService', 'spec.http[].fault.abort.http2Error'), { status: 'refused' });
  t.match(find('DestinationRule', 'spec.trafficPolicy.tunnel'), { status: 'not emulated' });
  t.match(find('PeerAuthentication', 'spec.portLevelMtls{}.mode'), { type: 'UNSET | DISABLE | PERMISSIVE | STRICT' });
  t.match(find('MeshConfig', 'defaultConfig.gatewayTopology.numTrustedProxies'), { status: 'emulated' });
  for (const { kind, path, status, note } of fields) t.equal(note === '', status === 'emulated', `${kind} ${path}`);
  const paths = fields.map((field) => `${field.kind} ${field.path}`);
  t.equal(new Set(paths).size, paths.length, 'no field twice');
});

// A value that is not the zero of its type, as YAML.
function sample(type: string): string {
  if (type.startsWith('list<')) return '[200]';
  if (type.startsWith('map<')) return '{a: b}';
  if (type.includes(' | ')) return type.split(' | ').at(-1) ?? '';
  if (type === 'bool') return 'true';
  if (type === 'duration') return '5s';
  if (/^u?int|^double$/.test(type)) return '1';
  return type === 'string' ? 'abcd' : '{a: b}';
}

// What loading says of an object with this one field, which has a value that is not its zero.
function load(kind: string, path: string, type: string): readonly Diagnostic[] {
  return loadConfig([{ file: 'a', text: objectYaml(kind, path, type), named: true }]).diagnostics;
}

function objectYaml(kind: string, path: string, type: string, value = sample(type)): string {
  let yaml = value;
  for (const step of path.split('.').reverse()) {
    const key = step.replace(/\[\]$/, '');
    yaml = step.endsWith('[]') ? `{${key}: [${yaml}]}` : `{${key}: ${yaml}}`;
  }
  const group = kind === 'Service' ? 'v1' : 'networking.istio.io/v1';
  return `apiVersion: ${group}\nkind: ${kind}\nmetadata: {name: x}\n${yaml.slice(1, -1)}\n`;
}

t.test('every written field that is not emulated is warned about', async (t) => {
  const notEmulated = fields.filter((field) => field.status === 'not emulated' && field.kind !== 'MeshConfig');
  t.ok(notEmulated.length > 0);
  for (const { kind, path, type } of notEmulated) {
    // Said of the field, or once of the message around it.
    const written = path.replaceAll('[]', '[0]');
    const warned = load(kind, path, type).some(
      ({ code, severity, message }) =>
        code === 'PST0130' && severity === 'warning' && `${written}.`.startsWith(`${message.split(' ')[0]}.`),
    );
    t.ok(warned, `${kind} ${path}`);
  }
});

t.test('every refused field refuses its object, as the webhook would', async (t) => {
  const refused = fields.filter((field) => field.status === 'refused');
  t.equal(refused.length, 3);
  for (const { kind, path, type, note } of refused) {
    const told = ask(kind, path, type);
    t.ok(told.includes(note), `${kind} ${path}: ${told.join(', ')}`);
  }
  const zero = ask('Gateway', 'spec.servers[].port.targetPort', 'uint32', '0');
  t.notOk(zero.includes('targetPort has no impact on Gateways'), 'zero is what an absent targetPort is');
});

t.test('labels that istiod reads and postern does not act on are warned about', async (t) => {
  const text = `apiVersion: v1
kind: Service
metadata: {name: web, labels: {istio.io/persistent-session: "cookie:/", istio.io/other: x}}
spec: {ports: [{port: 80}]}
`;
  const { diagnostics, store } = loadConfig([{ file: 'a', text, named: true }]);
  const message =
    'metadata.labels[istio.io/persistent-session] is not emulated: everything behaves as if it were not written';
  t.match(diagnostics, [{ code: 'PST0130', message, origin: { line: 3, column: 32 } }]);
  t.equal(diagnostics.length, 1);
  t.equal(store.all('Service').length, 1, 'and the object counts all the same');
});
// What the webhook says of it: loading does not ask when the schema has refused.
function ask(kind: string, path: string, type: string, value?: string): readonly string[] {
  const root = parseYaml(objectYaml(kind, path, type, value))[0]?.root;
  const answer = root === undefined ? undefined : askWebhook('networking.istio.io', kind, root, 'default');
  return answer?.errors.map(({ text }) => text) ?? [];
}
