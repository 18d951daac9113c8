// 500 Gateways and 5,000 VirtualServices: a first look in five seconds, a second one in half a second. Times are those of
// the CPU, which a busy machine inflates less than those of the clock.
import t from 'tap';
import type { Source } from '../../src/config/load.js';
import { AnalysisSession } from '../../src/gateway/analysis.js';

const GATEWAYS = 500;
const VIRTUAL_SERVICES = 10;

function file(g: number): Source {
  const namespace = `team-${g % 50}`;
  const documents = [
    `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw-${g}, namespace: ${namespace}}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: ['*.g${g}.example.com']
    tls: {mode: SIMPLE, credentialName: cert-${g}}
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*.g${g}.example.com']
    tls: {httpsRedirect: true}
`,
    ...Array.from(
      { length: VIRTUAL_SERVICES },
      (_, v) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs-${g}-${v}, namespace: ${namespace}}
spec:
  hosts: [h${v}.g${g}.example.com]
  gateways: [gw-${g}]
  http:
  - match:
    - uri: {prefix: /api/v${v}}
    route:
    - destination: {host: web-${g}.${namespace}.svc.cluster.local, port: {number: 80}}
  - route:
    - destination: {host: web-${g}.${namespace}.svc.cluster.local, port: {number: 80}}
`,
    ),
    `apiVersion: v1
kind: Service
metadata: {name: web-${g}, namespace: ${namespace}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP}]}
`,
  ];
  return { file: `g${g}.yaml`, text: documents.join('---\n'), named: true };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

t.test('a large configuration', async (t) => {
  const sources = Array.from({ length: GATEWAYS }, (_, g) => file(g));
  const session = new AnalysisSession();
  const options = {};
  const first = await timed(() => session.analyze(sources, options));
  t.ok(first < 5000, `the first look took ${Math.round(first)} ms`);
  const again: number[] = [];
  for (let n = 0; n < 5; n++) {
    const source = sources[7 + n];
    if (source !== undefined) sources[7 + n] = { ...source, text: source.text.replace('/api/v3', `/api/new-${n}`) };
    again.push(await timed(() => session.analyze(sources, options)));
  }
  const median = again.sort((a, b) => a - b)[2] ?? 0;
  t.ok(median < 500, `a look after one edit took ${again.map(Math.round).join(', ')} ms`);
  t.comment(`first ${Math.round(first)} ms, again ${Math.round(median)} ms`);
});
