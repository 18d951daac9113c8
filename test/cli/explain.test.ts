// `postern explain`: curl's letters, the trail as text, a Decision as JSON, batches, and what is wrong with a question.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { callOfUrl, parseCalls, type UrlOptions } from '../../src/cli/call-input.js';
import type { Call, Decision } from '../../src/decide/decision.js';
import { runToEnd } from '../support/postern.js';
import { documents, folderWith, GATEWAY, route, SERVICE } from '../support/shop-yaml.js';

const PLAIN: UrlOptions = {
  method: 'GET',
  headers: [],
  sni: undefined,
  alpn: undefined,
  port: undefined,
  plaintext: false,
  http2: false,
  presentsCertificate: false,
  random: undefined,
};

t.test('a URL as a call', (t) => {
  const rows: [url: string, options: Partial<UrlOptions>, want: Partial<Call> | RegExp][] = [
    ['https://a.test', {}, { port: 443, tls: 'tls', sni: 'a.test', host: 'a.test', path: '/', protocol: 'http' }],
    ['https://a.test:8443/x?y#z', {}, { port: 8443, host: 'a.test:8443', path: '/x?y' }],
    ['http://a.test:80?q', {}, { port: 80, tls: 'plaintext', host: 'a.test', path: '/?q' }],
    ['https://a.test/../%2f', {}, { path: '/../%2f' }],
    ['https://[::1]:9/', {}, { port: 9, host: '[::1]:9', sni: '[::1]' }],
    ['HTTPS://A.test/', { http2: true }, { protocol: 'http2', host: 'A.test' }],
    [
      'https://a.test/',
      { headers: ['Host: b.test', 'X-A: 1', 'x-b;', 'X-A: 2'] },
      { host: 'b.test', sni: 'a.test', headers: { 'X-A': ['1', '2'], 'x-b': '' } },
    ],
    [
      'https://a.test/',
      { port: '9', sni: '', alpn: ['h2'], presentsCertificate: true },
      { port: 9, sni: '', alpn: ['h2'], tls: 'mtls' },
    ],
    ['https://a.test/', { plaintext: true }, { port: 443, tls: 'plaintext' }],
    [
      'wss://a.test/',
      {},
      {
        port: 443,
        tls: 'tls',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        },
      },
    ],
    ['tls://a.test:9', {}, { protocol: 'tcp', tls: 'tls' }],
    ['tcp://a.test:9', { random: '0.5' }, { protocol: 'tcp', tls: 'plaintext', random: 0.5 }],
    ['ftp://a.test/', {}, /expected http/],
    ['https:///', {}, /expected http/],
    ['tcp://a.test', {}, /expected a port/],
    ['https://a.test:70000/', {}, /expected a port/],
    ['https://a.test/', { port: '0' }, /--port 0: expected a port/],
    ['https://a.test/', { headers: ['nonsense'] }, /-H 'nonsense'/],
    ['https://a.test/', { random: '2' }, /--random 2/],
  ];
  for (const [url, options, want] of rows) {
    const call = callOfUrl(url, { ...PLAIN, ...options });
    t.match(call, want, `${url} ${JSON.stringify(options)}`);
    if (typeof call !== 'string' && options.headers !== undefined) t.same(call.headers, (want as Call).headers, url);
  }
  t.end();
});

t.test('JSON as calls', (t) => {
  t.same(parseCalls('[]'), []);
  t.same(parseCalls('[{"port":80,"headers":{"a":["1"]}}]'), [{ port: 80, headers: { a: ['1'] } }]);
  for (const [json, want] of [
    ['{', /JSON/],
    ['{}', /expected an array/],
    ['[1]', /call 0: expected an object/],
    ['[{"port":80},{}]', /call 1: port/],
    ['[{"port":80,"hots":"a"}]', /unknown field hots/],
    ['[{"port":80,"protocol":"h3"}]', /protocol: expected/],
    ['[{"port":80,"tls":true}]', /tls: expected/],
    ['[{"port":80,"host":1}]', /host: expected a string/],
    ['[{"port":80,"alpn":"h2"}]', /alpn: expected/],
    ['[{"port":80,"headers":{"a":1}}]', /headers: a: expected/],
    ['[{"port":80,"headers":[]}]', /headers: expected/],
    ['[{"port":80,"random":7}]', /random: expected/],
  ] as const)
    t.match(parseCalls(json), want, json);
  t.end();
});

t.test('the command', async (t) => {
  const folder = await folderWith({
    'all.yaml': documents(SERVICE, GATEWAY, route(undefined, 'match: [{ uri: { prefix: /a } }]\n    ')),
  });
  const [text, json] = await Promise.all([
    runToEnd([
      'explain',
      folder,
      'http://shop.example.com:8080/a?b',
      '-X',
      'POST',
      '-H',
      'x-a: 1',
      '--resolve',
      'shop.example.com:8080:127.0.0.1',
    ]),
    runToEnd(['explain', '-f', folder, 'http://shop.example.com/b', '-o', 'json']),
  ]);
  t.equal(text.code, 0, text.stderr);
  t.match(text.stdout, /^POST http:\/\/shop\.example\.com:8080\/a\?b\n\nlistener +0\.0\.0\.0_8080 +\S+all\.yaml:\d+\n/);
  t.match(text.stdout, /\nanswer +503 UH no_healthy_upstream \(no_endpoint: /);
  const decision = JSON.parse(json.stdout) as Decision;
  t.match(decision, {
    listener: '0.0.0.0_8080',
    error: 'no_route',
    status: 404,
    flags: 'NR',
    details: 'route_not_found',
  });
  t.match(
    decision.trail.find(({ stage, verdict }) => stage === 'route' && verdict === 'no match'),
    { reason: "rule 1: path '/b' does not begin with '/a'", at: { file: path.join(folder, 'all.yaml'), line: /\d+/ } },
  );

  const calls = path.join(folder, 'calls.json');
  await writeFile(calls, JSON.stringify([{ port: 80, host: 'shop.example.com', path: '/a' }, { port: 9 }]));
  const [batch, input, mapped] = await Promise.all([
    runToEnd(['explain', folder, '--calls', calls]),
    runToEnd(['explain', folder, '--calls', '-'], { input: '[]' }),
    runToEnd([
      'explain',
      folder,
      'http://shop.example.com/a',
      '-o',
      'json',
      '--upstream',
      'web.shop.svc.cluster.local:80=127.0.0.1:3000',
    ]),
  ]);
  t.match(JSON.parse(batch.stdout), [{ error: 'no_endpoint' }, { error: 'no_listener' }]);
  t.same(JSON.parse(input.stdout), []);
  t.match(JSON.parse(mapped.stdout), {
    cluster: 'outbound|80||web.shop.svc.cluster.local',
    endpoint: '127.0.0.1:3000',
    upstreamRequest: { path: '/a', authority: 'shop.example.com' },
  });
  t.notOk('status' in JSON.parse(mapped.stdout));

  const [unbound, unknown] = await Promise.all([
    runToEnd(['explain', '-', 'http://shop.example.com/'], {
      input: documents(SERVICE, GATEWAY, route()).replace('istio-system/edge]', 'istio-system/egde]'),
    }),
    runToEnd(['explain', folder, 'http://other.test/', '-o', 'json']),
  ]);
  t.match(
    unbound.stdout,
    /\nfiles +found +VirtualService\/shop\/web names shop\.example\.com; its gateways: istio-system\/egde /,
  );
  t.match(unbound.stdout, / error +IST0101: Referenced gateway not found: "istio-system\/egde"/);
  t.match(unbound.stdout, /Gateway\/istio-system\/edge binds shop\.example\.com on port 80 \(HTTP\)/);
  t.match((JSON.parse(unknown.stdout) as Decision).trail.at(-1), {
    stage: 'files',
    reason: /Gateway\/istio-system\/edge binds other\.test/,
  });

  const codes = await Promise.all(
    [
      [['explain', folder], 64],
      [['explain', folder, 'shop.example.com'], 64],
      [['explain', 'http://shop.example.com/'], 64],
      [['explain', folder, 'http://shop.example.com/', '--resolve', 'x'], 64],
      [['explain', path.join(folder, 'none'), 'http://shop.example.com/'], 66],
      [['explain', folder, 'http://shop.example.com/', '--cert', path.join(folder, 'none')], 66],
      [['explain', folder, 'http://shop.example.com/', '--cert', path.join(folder, 'all.yaml')], 65],
      [['explain', folder, '--calls', path.join(folder, 'all.yaml')], 65],
    ].map(async ([args, code]) => ({ args, code, ended: await runToEnd(args as string[]) })),
  );
  for (const { args, code, ended } of codes) {
    t.equal(ended.code, code, `${String(args)}: ${ended.stderr}`);
    t.notMatch(ended.stderr, /^ +at /m, 'no stack trace');
  }
});

t.test('diff', async (t) => {
  const yaml = documents(SERVICE, GATEWAY, route());
  const folder = await folderWith({
    'old.yaml': yaml,
    'new.yaml': yaml.replace('shop.example.com', 'store.example.com'),
    'bad.yaml': 'a: [',
    'rule.yaml': documents(GATEWAY, route()),
  });
  const at = (name: string) => path.join(folder, name);
  const [same, text, json, bad, missing, usage, shared, twice] = await Promise.all([
    runToEnd(['diff', at('old.yaml'), at('old.yaml')]),
    runToEnd(['diff', at('old.yaml'), at('new.yaml')]),
    runToEnd(['diff', at('old.yaml'), at('new.yaml'), '-o', 'json']),
    runToEnd(['diff', at('old.yaml'), at('bad.yaml')]),
    runToEnd(['diff', at('old.yaml'), at('none.yaml')]),
    runToEnd(['diff', at('old.yaml')]),
    runToEnd(['diff', at('rule.yaml'), at('old.yaml'), '-f', '-', '--no-assume-services'], { input: SERVICE }),
    runToEnd(['diff', '-', '-'], { input: yaml }),
  ]);
  t.equal(same.code, 0, same.stderr);
  t.equal(same.stdout, '');
  t.match(same.stderr, /^0 differences in 1 connections and \d+ requests\n$/m);
  t.equal(text.code, 1, text.stderr);
  t.match(
    text.stdout,
    /^http:\/\/shop\.example\.com:8080\/: status\n {2}- 503 UH .*\(no_endpoint\) {2}\(\S+old\.yaml:\d+\)\n {2}\+ 404 NR route_not_found \(no_virtual_host\)/m,
  );
  t.match(JSON.parse(json.stdout), [{ aspect: 'status', subject: /./, old: /./, new: /./ }]);
  t.same([bad.code, missing.code, usage.code], [65, 66, 64]);
  t.equal(shared.code, 0, `--filename belongs to both sides: ${shared.stdout}`);
  t.match(twice, { code: 64, stderr: 'standard input is read once' });
});
