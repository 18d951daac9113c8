// A session that has seen the files before says what a new one says, whatever was edited in between.
import t from 'tap';
import type { Source } from '../../src/config/load.js';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { AnalysisSession } from '../../src/gateway/analysis.js';
import { randomNumbers } from '../support/random.js';

const FILES = 8;

function gatewayFile(n: number): string {
  const services = [0, 1].map(
    (s) => `apiVersion: v1
kind: Service
metadata: {name: web-${n}-${s}, namespace: team-${n % 3}}
spec: {selector: {app: web-${n}}, ports: [{name: http, port: 80, protocol: TCP}]}
`,
  );
  const gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw-${n}, namespace: team-${n % 3}}
spec:
  selector: {istio: ${n === 5 ? 'other' : 'ingressgateway'}}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ['*.g${n}.test', shared.test]
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: ['*.g${n}.test']
    tls: {mode: SIMPLE, credentialName: cert-${n % 4}}
`;
  return [gateway, ...services, virtualService(n, 0), virtualService(n, 1)].join('---\n');
}

function virtualService(n: number, v: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs-${n}-${v}, namespace: team-${n % 3}}
spec:
  hosts: [h${v}.g${n}.test, shared.test]
  gateways: [gw-${n}]
  http:
  - match: [{uri: {prefix: /a}}]
    route: [{destination: {host: web-${n}-0}}]
  - match: [{uri: {prefix: /a/b}}]
    route: [{destination: {host: web-${n}-${v}}}]
  - route: [{destination: {host: web-${(n + 3) % FILES}-1.team-${((n + 3) % FILES) % 3}.svc.cluster.local}}]
`;
}

type Edit = (text: string, random: (bound: number) => number) => string;

/** Picks one of the places where a pattern fits. */
function replaceSome(text: string, pattern: RegExp, random: (bound: number) => number, by: string): string {
  const places = [...text.matchAll(pattern)];
  const place = places[random(places.length)];
  if (place === undefined) return text;
  return text.slice(0, place.index) + by + text.slice(place.index + place[0].length);
}

const EDITS: Readonly<Record<string, Edit>> = {
  'another path': (text, random) => replaceSome(text, /prefix: \/[a-z/]*/g, random, 'prefix: /c'),
  'a path that shadows': (text, random) => replaceSome(text, /prefix: \/[a-z/]*/g, random, 'prefix: /'),
  'another host': (text, random) => replaceSome(text, /h[01]\.g\d\.test/g, random, 'elsewhere.test'),
  'a host of another Gateway': (text, random) => replaceSome(text, /h[01]\.g\d\.test/g, random, 'h0.g3.test'),
  'another Gateway': (text, random) =>
    replaceSome(text, /gateways: \[[^\]]*\]/g, random, 'gateways: [team-2/gw-2, gone]'),
  'another destination': (text, random) =>
    replaceSome(text, /host: web-[^}]*/g, random, 'host: web-1-0.team-1.svc.cluster.local'),
  'an unknown destination': (text, random) => replaceSome(text, /host: web-[^}]*/g, random, 'host: nowhere'),
  'a line above': (text) => `# a comment\n${text}`,
  'a line in the middle': (text, random) => replaceSome(text, /---\n/g, random, '---\n\n# a comment\n'),
  'a VirtualService less': (text) => text.replace(/---\n[^-]*kind: VirtualService(?:[^-]|-(?!--))*/, ''),
  'a VirtualService more': (text) => `${text}---\n${virtualService(1, 0).replace('vs-1-0', 'vs-more')}`,
  'a refused VirtualService': (text, random) => replaceSome(text, /gateways: \[/g, random, 'gatewais: ['),
  'a change of a Gateway': (text, random) =>
    replaceSome(text, /credentialName: cert-\d/g, random, 'credentialName: cert-9'),
  'a change of a Service': (text, random) => replaceSome(text, /port: 80, protocol/g, random, 'port: 81, protocol'),
};

t.test('an edited configuration', async (t) => {
  const random = randomNumbers(7);
  let sources: readonly Source[] = Array.from({ length: FILES }, (_, n) => ({
    file: `g${n}.yaml`,
    text: gatewayFile(n),
    named: true,
  }));
  const first = sources;
  const session = new AnalysisSession();
  const options = { now: Date.UTC(2026, 0, 1) };
  await session.analyze(sources, options);
  const names = Object.keys(EDITS);
  for (let step = 0; step < 60; step++) {
    const name = names[step % names.length] ?? '';
    const at = random(FILES);
    // Now and then back to the beginning, so that the files do not drift away from anything sensible.
    const base = step % 20 === 19 ? first : sources;
    sources = base.map((source, n) =>
      n === at ? { ...source, text: EDITS[name]?.(source.text, random) ?? '' } : source,
    );
    const again = (await session.analyze(sources, options)).diagnostics;
    const fresh = (await new AnalysisSession().analyze(sources, options)).diagnostics;
    if (!t.same(again.map(render), fresh.map(render), `${step}: ${name} in g${at}.yaml`)) break;
  }
});

function render({ code, severity, message, origin }: Diagnostic): string {
  return `${code} ${severity} ${origin?.file}:${origin?.line}:${origin?.column} ${origin?.resource} ${message}`;
}
