// What `config/` ships says the same as the defaults in the code: loading it changes nothing.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadConfig, type Source } from '../../src/config/load.js';
import { gatewayProxy } from '../../src/gateway/compile.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import { publishSnapshot } from '../../src/translate/published.js';
import { translate } from '../../src/translate/translate.js';

const source = (file: string): Source => ({ file, text: readFileSync(file, 'utf8'), named: true });
const EXAMPLE = ['examples/all-modes-one-port/istio/all-modes.yaml', 'examples/tutorial/istio/1-web.yaml'].map(source);

function published(
  sources: readonly Source[],
  meshConfig?: Source,
): { snapshot: unknown; messages: readonly string[] } {
  const { store, diagnostics } = loadConfig(sources, { meshConfig });
  const { snapshot } = translate(buildPushContext(store, gatewayProxy()), () => {});
  const { clusters, ...rest } = publishSnapshot(snapshot);
  return {
    snapshot: { ...rest, clusters: clusters.map(({ name }) => name) },
    messages: diagnostics.map(({ message }) => message),
  };
}

t.test('the default gateway workload is the one that is assumed', (t) => {
  const { snapshot, messages } = published([...EXAMPLE, source('config/ingress-gateway.yaml')]);
  t.strictSame(messages, []);
  const { listeners, routes } = snapshot as { listeners: unknown; routes: unknown };
  const without = published(EXAMPLE).snapshot as { listeners: unknown; routes: unknown };
  t.strictSame(listeners, without.listeners);
  t.strictSame(routes, without.routes);
  t.end();
});

t.test('the mesh defaults are the defaults', (t) => {
  const { snapshot, messages } = published(EXAMPLE, source('config/mesh.yaml'));
  t.strictSame(messages, []);
  t.strictSame(snapshot, published(EXAMPLE).snapshot);
  t.end();
});
