// Server names, filter chains, virtual hosts and routes: one table of cases and the same random inputs for the compiled
// index and for a plain reading of the rules.
import t from 'tap';
import { HeaderMap } from '../../src/filters/header-map.js';
import { FilterChainIndex } from '../../src/match/filter-chain-index.js';
import { parseQuery, type RequestMatchFacts, RouteIndex } from '../../src/match/route-index.js';
import { ServerNameIndex } from '../../src/match/server-name-index.js';
import { hostWithoutPort, VirtualHostIndex } from '../../src/match/virtual-host-index.js';
import type { ConnectionFacts, FilterChain, HeaderMatcher, Route, RouteMatch } from '../../src/xds/index.js';
import { randomNumbers } from '../support/random.js';

const random = randomNumbers(11);
const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;

t.test('server names', (t) => {
  const build = (names: readonly string[]) => new ServerNameIndex(names.map((name) => [name, name] as const));
  const naive = (names: readonly string[]) => ({
    find(name: string): string | undefined {
      const lower = names.map((text) => text.toLowerCase());
      const at = (wanted: string) => (lower.includes(wanted) ? names[lower.indexOf(wanted)] : undefined);
      if (name !== '' && at(name) !== undefined) return at(name);
      if (name.startsWith('.') && at(`*${name}`) !== undefined) return at(`*${name}`);
      for (let i = 1; i < name.length - 1; i++) {
        if (name[i] === '.' && at(`*${name.slice(i)}`) !== undefined) return at(`*${name.slice(i)}`);
      }
      return at('*') ?? at('');
    },
  });
  const rows: [names: string[], asked: string, want: string | undefined][] = [
    [['a.ex.com', '*.ex.com'], 'a.ex.com', 'a.ex.com'],
    [['*.ex.com', '*.b.ex.com'], 'x.b.ex.com', '*.b.ex.com'],
    [['*.ex.com'], 'a.b.c.ex.com', '*.ex.com'],
    [['*.ex.com'], 'ex.com', undefined],
    [['*.ex.com'], '.ex.com', '*.ex.com'],
    [['*.b.ex.com'], '.ex.com', undefined],
    [['*.ex.com'], 'a..ex.com', '*.ex.com'],
    [['*.ex.com'], 'a.ex.com.', undefined],
    [['A.Ex.com', '*'], 'a.ex.com', 'A.Ex.com'],
    [['a.ex.com', '*'], '', '*'],
    [['a.ex.com'], '', undefined],
    [['*.ex.com', 'ex.com', '*.com'], 'ex.com', 'ex.com'],
    [['*.ex.com', 'ex.com', '*.com'], 'com', undefined],
  ];
  for (const [names, asked, want] of rows) {
    for (const index of [build(names), naive(names)])
      t.equal(index.find(asked), want, `${names.join(' ')} for '${asked}'`);
  }
  const labels = ['a', 'b', 'ex', 'com', '', 'x-y'];
  const name = () => Array.from({ length: random(4) }, () => one(labels)).join('.');
  let agree = true;
  for (let round = 0; round < 5000 && agree; round++) {
    const names = Array.from({ length: 1 + random(6) }, () => one(['*', name(), `*.${name()}`])).filter(
      (text) => text !== '*.' && text !== '',
    );
    const asked = name();
    agree = build(names).find(asked) === naive(names).find(asked);
    if (!agree) t.fail(`${JSON.stringify(names)} for '${asked}'`);
  }
  t.ok(agree, 'random names');
  t.end();
});

t.test('filter chains never go back', (t) => {
  const chain = (label: string, names: readonly string[], protocols: readonly string[] = []): FilterChain => ({
    label,
    filters: [],
    ...(names.length + protocols.length === 0
      ? {}
      : { filter_chain_match: { server_names: names, application_protocols: protocols } }),
  });
  const facts = (serverName: string, applicationProtocols: readonly string[]): ConnectionFacts => ({
    listener: '',
    transportProtocol: 'tls',
    serverName,
    applicationProtocols,
    source: { address: '127.0.0.1', port: 1 },
    destination: { address: '127.0.0.1', port: 8443 },
  });
  const chains = [
    chain('mesh', ['a.ex.com'], ['istio', 'istio-peer-exchange']),
    chain('wild', ['*.ex.com']),
    chain('both', ['c.ex.com'], ['h2']),
    chain('both-any', ['c.ex.com']),
    chain('rest', []),
  ];
  const index = new FilterChainIndex(chains);
  const rows: [name: string, alpn: string[], want: string | undefined][] = [
    ['a.ex.com', ['istio'], 'mesh'],
    ['a.ex.com', ['h2', 'istio-peer-exchange'], 'mesh'],
    ['a.ex.com', ['h2'], undefined],
    ['a.ex.com', [], undefined],
    ['b.ex.com', ['h2'], 'wild'],
    ['c.ex.com', ['http/1.1', 'h2'], 'both'],
    ['c.ex.com', ['http/1.1'], 'both-any'],
    ['', ['h2'], 'rest'],
    ['other.test', [], 'rest'],
  ];
  for (const [name, alpn, want] of rows)
    t.equal(index.find(facts(name, alpn))?.label, want, `'${name}' ${alpn.join(',')}`);
  t.end();
});

t.test('virtual hosts', (t) => {
  interface Host {
    readonly domains: readonly string[];
  }
  const build = (hosts: readonly Host[]) => new VirtualHostIndex(hosts, true);
  const naive = (hosts: readonly Host[]) => ({
    find(authority: string): Host | undefined {
      const host = hostWithoutPort(authority).toLowerCase();
      const all = hosts.flatMap((owner) => owner.domains.map((domain) => ({ owner, domain: domain.toLowerCase() })));
      const longest = (fits: typeof all) => fits.sort((a, b) => b.domain.length - a.domain.length)[0];
      const exact = all.find(({ domain }) => domain === host && !domain.includes('*'));
      const wild = all.filter(({ domain }) => domain !== '*' && host.length > domain.length - 1);
      const suffix = longest(wild.filter(({ domain }) => domain.startsWith('*') && host.endsWith(domain.slice(1))));
      const prefix = longest(
        wild.filter(
          ({ domain }) => !domain.startsWith('*') && domain.endsWith('*') && host.startsWith(domain.slice(0, -1)),
        ),
      );
      return (exact ?? suffix ?? prefix ?? all.find(({ domain }) => domain === '*'))?.owner;
    },
  });
  const hosts = ['a.ex.com', '*.ex.com', '*-x.ex.com', '*.com', 'pre.*', '[::1]', '*'].map((domain) => ({
    domains: [domain],
  }));
  const rows: [authority: string, want: string][] = [
    ['a.ex.com', 'a.ex.com'],
    ['A.EX.com:8443', 'a.ex.com'],
    ['a.ex.com:', 'a.ex.com'],
    ['a.ex.com:abc', 'a.ex.com'],
    ['b.c.ex.com', '*.ex.com'],
    ['q-x.ex.com', '*-x.ex.com'],
    ['-x.ex.com', '*.ex.com'],
    ['.ex.com', '*.com'],
    ['ex.com', '*.com'],
    ['a.ex.com.', '*'],
    ['user@a.ex.com', '*.ex.com'],
    ['pre.fix', 'pre.*'],
    ['[::1]:80', '[::1]'],
    ['', '*'],
  ];
  for (const [authority, want] of rows) {
    for (const index of [build(hosts), naive(hosts)]) t.equal(index.find(authority)?.domains[0], want, authority);
  }
  t.equal(hostWithoutPort('fd00::7'), 'fd00:');
  t.equal(build(hosts.slice(0, 1)).find('b.ex.com'), undefined);
  t.equal(new VirtualHostIndex(hosts.slice(0, 1), false).find('a.ex.com:1'), undefined);
  const parts = ['a', 'b', '.', '-', 'ab', '.a', ''];
  const word = () => Array.from({ length: 1 + random(4) }, () => one(parts)).join('');
  let agree = true;
  for (let round = 0; round < 5000 && agree; round++) {
    const domains = [
      ...new Set(Array.from({ length: 1 + random(7) }, () => one(['*', word(), `*${word()}`, `${word()}*`]))),
    ];
    const some = domains.map((domain) => ({ domains: [domain] }));
    const authority = word() + one(['', ':1']);
    agree = build(some).find(authority) === naive(some).find(authority);
    if (!agree) t.fail(`${JSON.stringify(domains)} for '${authority}'`);
  }
  t.ok(agree, 'random domains');
  t.end();
});

/** The rules as they are written (spec virtualservice.md §7), without any preparation. */
function naiveRoute(routes: readonly Route[], facts: RequestMatchFacts): number {
  const [plain = '', ...rest] = facts.path.split('?');
  const query = parseQuery(rest.join('?'));
  return routes.findIndex(({ match }) => {
    const fold = (text: string) => (match.case_sensitive === false ? text.toLowerCase() : text);
    const regex = match.safe_regex === undefined ? undefined : new RegExp(`^(?:${match.safe_regex.regex})$`);
    if (regex !== undefined && !regex.test(plain)) return false;
    if (match.path !== undefined && fold(plain) !== fold(match.path)) return false;
    if (match.prefix !== undefined && !fold(plain).startsWith(fold(match.prefix))) return false;
    for (const header of match.headers ?? []) if (!naiveHeader(header, facts)) return false;
    for (const parameter of match.query_parameters ?? []) {
      const value = query.get(parameter.name);
      if (value === undefined) return false;
      if (parameter.string_match !== undefined && !naiveString(parameter.string_match, value)) return false;
    }
    return true;
  });
}

function naiveHeader(matcher: HeaderMatcher, facts: RequestMatchFacts): boolean {
  const pseudo: Readonly<Record<string, string>> = {
    ':method': facts.method,
    ':authority': facts.authority,
    ':path': facts.path,
    host: facts.authority,
  };
  const name = matcher.name.toLowerCase();
  const lines = name in pseudo ? [pseudo[name] as string] : facts.headers.values(name);
  const inverted = matcher.invert_match === true;
  if (matcher.string_match === undefined) return lines.length > 0 !== inverted;
  if (lines.length === 0 && matcher.treat_missing_header_as_empty !== true) return false;
  const string = matcher.string_match;
  const hit = (lines.length === 0 ? [''] : lines).some((line) => naiveString(string, line));
  return hit !== inverted;
}

function naiveString(matcher: NonNullable<HeaderMatcher['string_match']>, value: string): boolean {
  if (matcher.exact !== undefined) return value === matcher.exact;
  if (matcher.prefix !== undefined) return value.startsWith(matcher.prefix);
  return new RegExp(`^(?:${matcher.safe_regex?.regex})$`).test(value);
}

const route = (match: RouteMatch): Route => ({ match });

function request(path: string, headers: readonly string[] = [], method = 'GET'): RequestMatchFacts {
  return { method, authority: 'Ex.com:80', scheme: 'http', path, headers: new HeaderMap([...headers]) };
}

t.test('routes', (t) => {
  const rows: [what: string, match: RouteMatch, facts: RequestMatchFacts, want: boolean][] = [
    ['prefix is not segment-aware', { prefix: '/api' }, request('/apiary'), true],
    ['exact', { path: '/a' }, request('/a?x=1'), true],
    ['exact has no trailing slash', { path: '/a' }, request('/a/'), false],
    ['case', { path: '/A' }, request('/a'), false],
    ['ignored case', { path: '/A', case_sensitive: false }, request('/a'), true],
    ['ignored case, prefix', { prefix: '/Ab', case_sensitive: false }, request('/aBc'), true],
    ['regex is whole', { safe_regex: { regex: '/f.o' } }, request('/foobar'), false],
    ['regex does not see the query', { safe_regex: { regex: '/f.*' } }, request('/f?q'), true],
    ['method', { prefix: '/', headers: [{ name: ':method', string_match: { exact: 'GET' } }] }, request('/'), true],
    [
      'authority is raw',
      { prefix: '/', headers: [{ name: ':authority', string_match: { exact: 'ex.com' } }] },
      request('/'),
      false,
    ],
    [
      'host is its alias',
      { prefix: '/', headers: [{ name: 'host', string_match: { exact: 'Ex.com:80' } }] },
      request('/'),
      true,
    ],
    [
      'any line',
      { prefix: '/', headers: [{ name: 'X-T', string_match: { exact: 'b' } }] },
      request('/', ['x-t', 'a', 'x-t', 'b']),
      true,
    ],
    [
      'lines are not joined',
      { prefix: '/', headers: [{ name: 'x-t', string_match: { exact: 'a,b' } }] },
      request('/', ['x-t', 'a', 'x-t', 'b']),
      false,
    ],
    ['absent', { prefix: '/', headers: [{ name: 'x-t', string_match: { exact: '' } }] }, request('/'), false],
    [
      'empty',
      { prefix: '/', headers: [{ name: 'x-t', string_match: { exact: '' } }] },
      request('/', ['x-t', '']),
      true,
    ],
    ['present', { prefix: '/', headers: [{ name: 'x-t', present_match: true }] }, request('/', ['x-t', '']), true],
    [
      'not present',
      { prefix: '/', headers: [{ name: 'x-t', present_match: true, invert_match: true }] },
      request('/'),
      true,
    ],
    [
      'without: absent counts as empty',
      {
        prefix: '/',
        headers: [
          {
            name: 'x-t',
            string_match: { safe_regex: { regex: '.*' } },
            invert_match: true,
            treat_missing_header_as_empty: true,
          },
        ],
      },
      request('/'),
      false,
    ],
    [
      'without: any line spoils it',
      {
        prefix: '/',
        headers: [
          { name: 'x-t', string_match: { exact: 'v1' }, invert_match: true, treat_missing_header_as_empty: true },
        ],
      },
      request('/', ['x-t', 'v1', 'x-t', 'v2']),
      false,
    ],
    [
      'query',
      { prefix: '/', query_parameters: [{ name: 'k', string_match: { exact: 'v' } }] },
      request('/?a=b&k=v'),
      true,
    ],
    [
      'query: first counts',
      { prefix: '/', query_parameters: [{ name: 'k', string_match: { exact: 'v' } }] },
      request('/?k=w&k=v'),
      false,
    ],
    [
      'query: no value',
      { prefix: '/', query_parameters: [{ name: 'k', string_match: { exact: '' } }] },
      request('/?k'),
      true,
    ],
    ['query: present', { prefix: '/', query_parameters: [{ name: 'k', present_match: true }] }, request('/?k=1'), true],
    [
      'query: raw',
      { prefix: '/', query_parameters: [{ name: 'k[]', present_match: true }] },
      request('/?k%5B%5D=1'),
      false,
    ],
    [
      'query: second question mark',
      { prefix: '/', query_parameters: [{ name: 'k', string_match: { exact: 'a?b' } }] },
      request('/?k=a?b'),
      true,
    ],
  ];
  for (const [what, match, facts, want] of rows) {
    for (const limit of [64, 0])
      t.equal(new RouteIndex([route(match)], limit).find(facts) === 0, want, `${what}, limit ${limit}`);
    t.equal(naiveRoute([route(match)], facts) === 0, want, `${what}, naive`);
  }
  t.equal(new RouteIndex([]).find(request('/')), -1);
  // Nobody verifies tokens here, so there are no claims.
  const claim = { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'payload' }, { key: 'sub' }] } as const;
  t.equal(new RouteIndex([route({ prefix: '/', dynamic_metadata: [claim] })]).find(request('/')), -1);
  const without = route({ prefix: '/', dynamic_metadata: [{ ...claim, invert: true }] });
  t.equal(new RouteIndex([without]).find(request('/')), 0);
  // UTF-8 bytes of configured text against bytes of the header.
  const utf8 = route({ prefix: '/', headers: [{ name: 'x-t', string_match: { exact: 'ü' } }] });
  t.equal(new RouteIndex([utf8]).find(request('/', ['x-t', '\xc3\xbc'])), 0);
  t.end();
});

t.test('the index keeps the order of the list', (t) => {
  const segments = ['', 'a', 'b', 'ab', 'A'];
  const path = () => `/${one(segments)}${one(['', `/${one(segments)}`])}`;
  const header = (): HeaderMatcher =>
    one<HeaderMatcher>([
      { name: 'x-a', string_match: { exact: one(['1', '2']) } },
      { name: 'x-a', present_match: true, invert_match: one([true, false]) },
      { name: 'x-a', string_match: { prefix: '1' }, invert_match: true, treat_missing_header_as_empty: true },
    ]);
  const match = (): RouteMatch => ({
    ...one<RouteMatch>([
      { path: path() },
      { prefix: path() },
      { safe_regex: { regex: `${path()}.*` } },
      { prefix: path(), case_sensitive: false },
    ]),
    ...(random(3) === 0 ? { headers: [header()] } : {}),
    ...(random(5) === 0 ? { query_parameters: [{ name: 'q', string_match: { exact: one(['1', '']) } }] } : {}),
  });
  let agree = true;
  for (let round = 0; round < 300 && agree; round++) {
    const routes = Array.from({ length: 1 + random(90) }, () => route(match()));
    const fast = new RouteIndex(routes);
    const indexed = new RouteIndex(routes, 0);
    for (let k = 0; k < 20 && agree; k++) {
      const lines = Array.from({ length: random(3) }, () => ['x-a', one(['1', '2', '12'])]).flat();
      const facts = request(path() + one(['', '?q=1', '?q', '?q=2&q=1']), lines);
      const want = naiveRoute(routes, facts);
      agree = fast.find(facts) === want && indexed.find(facts) === want;
      if (!agree) t.fail(`${facts.path} ${lines.join(' ')}: ${fast.find(facts)} ${indexed.find(facts)} ${want}`);
    }
  }
  t.ok(agree, 'random routes');
  t.end();
});
