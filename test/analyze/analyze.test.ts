// What surrounds the analyzers: their declared inputs, whose findings are shown, what is silenced, what is not said twice.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import type { AnalyzedKind, GatewayAnalyzer, GatewayView } from '../../src/analyze/analyzer.js';
import { ISTIO_ANALYZERS, OWN_ANALYZERS } from '../../src/analyze/analyzers.js';
import { indexObjects, type ObjectIndex } from '../../src/analyze/object-index.js';
import { parseSuppression, suppresses } from '../../src/analyze/suppression.js';
import { loadConfig } from '../../src/config/load.js';
import type { MeshConfig } from '../../src/config/model/mesh-config.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { type AnalysisOptions, AnalysisSession } from '../../src/gateway/analysis.js';
import { gatewayProxy } from '../../src/gateway/compile.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import { translate } from '../../src/translate/translate.js';
import { goldenRoot } from '../golden/support.js';

const analyze = async (yaml: string, options: AnalysisOptions = {}): ReturnType<AnalysisSession['analyze']> =>
  new AnalysisSession().analyze([{ file: 'a.yaml', text: yaml, named: true }], options);

t.test('each analyzer reads the kinds that it declares, and gives the messages that it declares', async (t) => {
  const folder = path.join(goldenRoot(), 'analysis');
  const views = readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => viewOf(readFileSync(path.join(folder, file), 'utf8')));
  const analyzers: readonly GatewayAnalyzer[] = [...ISTIO_ANALYZERS, ...OWN_ANALYZERS];
  for (const analyzer of analyzers) {
    const read = new Set<AnalyzedKind>();
    const given = new Set<string>();
    for (const { index, gateway, mesh } of views) {
      analyzer.analyze({
        all: (kind) => {
          read.add(kind);
          return index.all(kind);
        },
        find: (kind, namespace, name) => {
          read.add(kind);
          return index.find(kind, namespace, name);
        },
        mesh,
        now: Date.UTC(2026, 0, 1),
        report: (type) => given.add(type.code),
        // Analyzers remember what they read by the view.
        gateway: { ...gateway },
      });
    }
    t.same([...read].sort(), [...analyzer.inputs].sort(), `${analyzer.name} reads`);
    const declared = new Set(analyzer.messages.map(({ code }) => code));
    t.same(
      [...given].filter((code) => !declared.has(code)),
      [],
      `${analyzer.name} says`,
    );
  }
});

function viewOf(text: string): { index: ObjectIndex; gateway: GatewayView; mesh: MeshConfig } {
  const load = loadConfig([{ file: 'a.yaml', text, named: true }]);
  const push = buildPushContext(load.store, gatewayProxy());
  return {
    index: indexObjects(load.objects, { namespace: 'istio-system', labels: { istio: 'ingressgateway' } }),
    gateway: { push, ...translate(push, () => {}) },
    mesh: load.store.mesh,
  };
}

const VIRTUAL_SERVICE = (namespace: string, annotations = ''): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v${namespace}${annotations}}\nspec:\n  hosts: [a.test]\n  gateways: [gone]\n  http: [{directResponse: {status: 200}}]\n`;
const istio = (diagnostics: readonly Diagnostic[]): readonly string[] =>
  diagnostics.filter(({ code }) => code.startsWith('IST')).map(({ code, origin }) => `${code} ${origin?.resource}`);

t.test('findings of other namespaces', async (t) => {
  const yaml = `${VIRTUAL_SERVICE('')}---\n${VIRTUAL_SERVICE(', namespace: shop')}---\n${VIRTUAL_SERVICE(', namespace: kube-system')}`;
  const all = await analyze(yaml);
  t.same(istio(all.diagnostics), [
    'IST0101 VirtualService/default/v',
    'IST0101 VirtualService/shop/v',
    'IST0132 VirtualService/default/v',
    'IST0132 VirtualService/shop/v',
  ]);
  t.equal(all.hidden, 2, 'kube-system is never shown');
  const shop = await analyze(yaml, { selectedNamespace: 'shop' });
  t.same(istio(shop.diagnostics), ['IST0101 VirtualService/shop/v', 'IST0132 VirtualService/shop/v']);
  t.equal(shop.hidden, 4);
  const inShop = await analyze(VIRTUAL_SERVICE(''), { namespace: 'shop', selectedNamespace: 'shop' });
  t.same(istio(inShop.diagnostics), ['IST0101 VirtualService/shop/v', 'IST0132 VirtualService/shop/v']);
});

t.test('a refused object is told in every namespace, and cannot be silenced', async (t) => {
  const yaml = VIRTUAL_SERVICE(', namespace: shop', ", annotations: {galley.istio.io/analyze-suppress: '*'}").replace(
    'status: 200',
    'status: 700',
  );
  const { diagnostics } = await analyze(yaml, { selectedNamespace: 'default' });
  t.match(
    diagnostics.map(({ code, refusedBy }) => ({ code, refusedBy })),
    [{ code: 'IST0106', refusedBy: 'webhook' }],
  );
});

t.test('suppression', async (t) => {
  for (const [pattern, code, resource, isSilent] of [
    ['IST0101=VirtualService shop/v', 'IST0101', 'VirtualService/shop/v', true],
    ['IST0101=VirtualService shop/v', 'IST0132', 'VirtualService/shop/v', false],
    ['IST0101=*', 'IST0101', 'VirtualService/shop/v', true],
    ['IST0101=VirtualService shop/*', 'IST0101', 'VirtualService/shop/v', true],
    ['IST0101=VirtualService shop/*', 'IST0101', 'VirtualService/other/v', false],
    ['IST0101=* */v', 'IST0101', 'Gateway/shop/v', true],
    ['IST0102=Namespace shop', 'IST0102', 'Namespace/shop', true],
    ['IST0101=VirtualService shop.v', 'IST0101', 'VirtualService/shopxv', false],
  ] as const) {
    const suppression = parseSuppression(pattern);
    t.equal(suppression !== undefined && suppresses(suppression, code, resource), isSilent, `${pattern}: ${resource}`);
  }
  for (const wrong of ['IST0101', '=x', 'IST0101=', '']) t.equal(parseSuppression(wrong), undefined, wrong);
  const suppressions = [{ code: 'IST0101', pattern: '*' }];
  const { diagnostics, suppressed } = await analyze(VIRTUAL_SERVICE(''), { suppressions });
  t.same(istio(diagnostics), ['IST0132 VirtualService/default/v']);
  t.equal(suppressed, 1);
});

t.test('what an analyzer has said is not said again in the words of translation', async (t) => {
  const { diagnostics } = await analyze(
    `${VIRTUAL_SERVICE('').replace('gone', 'edge')}---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [a.test]
    tls: {mode: MUTUAL, credentialName: none}
`,
  );
  t.same(
    diagnostics.filter(({ severity }) => severity !== 'info').map(({ code }) => code),
    ['IST0101', 'PST1305'],
  );
});

t.test('objects that istioctl cannot read are passed over by its analyzers', async (t) => {
  const { diagnostics } = await analyze(VIRTUAL_SERVICE('').replace('[gone]', 'gone'));
  t.same(istio(diagnostics), [], 'a list that is a word');
  const lenient = await analyze(VIRTUAL_SERVICE('').replace('gateways:', 'foo: 1\n  gateways:'));
  t.same(
    istio(lenient.diagnostics),
    ['IST0101 VirtualService/default/v', 'IST0132 VirtualService/default/v'],
    'an unknown field',
  );
  t.ok(lenient.diagnostics.some(({ code, refusedBy }) => code === 'PST0110' && refusedBy === 'strict'));
});
