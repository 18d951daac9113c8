// Compiled tables against a plain reading of spec virtualservice.md §5 and §7: random hosts, paths, headers and rules.
// The plain reading knows no index, no order of work and no preparation; whatever both say is taken to be right.
import fc from 'fast-check';
import t from 'tap';
import { RouteTable } from '../../src/decide/route-table.js';
import { HeaderMap } from '../../src/filters/header-map.js';
import type { RequestMatchFacts } from '../../src/match/route-index.js';
import { ServerNameIndex } from '../../src/match/server-name-index.js';
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  Route,
  RouteMatch,
  StringMatcher,
  VirtualHost,
} from '../../src/xds/index.js';

const RUNS = 10_000;

// Few letters, so that names, prefixes and values meet often.
const label = fc.constantFrom('a', 'b', 'ab', 'x-a', 'A', '1');
const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const domain = fc.oneof(
  { weight: 4, arbitrary: host },
  host.map((name) => `*.${name}`),
  host.map((name) => `*-${name}`),
  host.map((name) => `${name}.*`),
  fc.constant('*'),
);
const segment = fc.constantFrom('', 'a', 'b', 'ab', 'A', 'a.b', '%61', 'ü');
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => `/${segments.join('/')}`);
const word = fc.constantFrom('', '1', '12', '2', 'a,b', 'A', '1 ', 'ü');
const regex = fc.constantFrom('1.*', '(1|2)', '[0-9]+', '', '.*', 'a|A', '(?i)a', '1?2?');
const string: fc.Arbitrary<StringMatcher> = fc.oneof(
  word.map((exact) => ({ exact })),
  word.filter((text) => text !== '').map((prefix) => ({ prefix })),
  regex.map((text) => ({ safe_regex: { regex: text } })),
  fc.record({ exact: word, ignore_case: fc.constant(true) }),
);
const headerName = fc.constantFrom('x-a', 'x-b', ':method', ':authority', ':scheme');
const header: fc.Arbitrary<HeaderMatcher> = fc.oneof(
  fc.record({ name: headerName, string_match: string, invert_match: fc.boolean() }),
  fc.record({
    name: headerName,
    string_match: string,
    invert_match: fc.boolean(),
    treat_missing_header_as_empty: fc.constant(true),
  }),
  fc.record({ name: headerName, present_match: fc.constant(true), invert_match: fc.boolean() }),
);
const parameter: fc.Arbitrary<QueryParameterMatcher> = fc.oneof(
  fc.record({ name: fc.constantFrom('q', 'r', ''), string_match: string }),
  fc.record({ name: fc.constantFrom('q', 'r'), present_match: fc.constant(true) }),
);
const pathMatch: fc.Arbitrary<RouteMatch> = fc.oneof(
  path.map((text) => ({ path: text })),
  path.map((prefix) => ({ prefix })),
  path.map((text) => ({ path: text, case_sensitive: false })),
  path.map((prefix) => ({ prefix, case_sensitive: false })),
  path.map((text) => ({ safe_regex: { regex: `${text}(/.*)?` } })),
);
const match: fc.Arbitrary<RouteMatch> = fc
  .tuple(pathMatch, fc.array(header, { maxLength: 2 }), fc.array(parameter, { maxLength: 1 }))
  .map(([base, headers, query_parameters]) => ({
    ...base,
    ...(headers.length === 0 ? {} : { headers }),
    ...(query_parameters.length === 0 ? {} : { query_parameters }),
  }));
// Short lists are walked and long ones indexed, so both must come.
const routes = fc.oneof(
  fc.array(match, { minLength: 0, maxLength: 6 }),
  fc.array(match, { minLength: 13, maxLength: 30 }),
);
const virtualHost = fc.tuple(fc.uniqueArray(domain, { minLength: 1, maxLength: 3 }), routes);
const request = fc.record({
  authority: fc.tuple(host, fc.constantFrom('', ':80', ':')).map(([name, port]) => name + port),
  method: fc.constantFrom('GET', 'POST', '1'),
  path: fc
    .tuple(path, fc.constantFrom('', '?', '?q', '?q=1', '?q=2&q=1', '?r=1&q=12', '?=1', '?q=a,b#x'))
    .map(([text, query]) => toLatin1(text) + query),
  headers: fc.array(fc.tuple(fc.constantFrom('x-a', 'x-b'), word.map(toLatin1)), { maxLength: 3 }),
});

t.test('virtual hosts and routes', (t) => {
  fc.assert(
    fc.property(
      fc.array(virtualHost, { minLength: 1, maxLength: 4 }),
      fc.array(request, { minLength: 1, maxLength: 3 }),
      (described, requests) => {
        const hosts = described.map(
          ([domains, matches], position): VirtualHost => ({
            name: `host ${position}`,
            domains,
            routes: matches.map((one, index): Route => ({ name: `${position}/${index}`, match: one })),
          }),
        );
        const table = new RouteTable(
          { name: 'r', virtual_hosts: hosts, ignore_port_in_host_matching: true, validate_clusters: false },
          false,
        );
        for (const one of requests) {
          const facts: RequestMatchFacts = { ...one, scheme: 'http', headers: new HeaderMap(one.headers.flat()) };
          const found = table.findVirtualHost(one.authority);
          const wanted = plainVirtualHost(hosts, one.authority);
          if (found?.virtualHost.name !== wanted?.name) return false;
          if (found?.find(facts)?.route.name !== plainRoute(wanted?.routes ?? [], facts)?.name) return false;
        }
        return true;
      },
    ),
    { numRuns: RUNS, seed: 7 },
  );
  t.pass(`${RUNS} random tables agree`);
  t.end();
});

t.test('server names, in small tables and in large ones', (t) => {
  const names = fc.uniqueArray(
    fc.oneof(
      host,
      host.map((name) => `*.${name}`),
      fc.constant('*'),
    ),
    {
      minLength: 1,
      maxLength: 8,
      selector: (name) => name.toLowerCase(),
    },
  );
  // Above a thousand names the index remembers what it was asked; each name is asked twice.
  const filler = Array.from({ length: 1100 }, (_, index) => `filler-${index}.test`);
  fc.assert(
    fc.property(names, fc.array(host, { minLength: 1, maxLength: 4 }), (some, asked) => {
      const small = new ServerNameIndex(some.map((name) => [name, name] as const));
      return asked.every((name) => small.find(name.toLowerCase()) === plainServerName(some, name.toLowerCase()));
    }),
    { numRuns: RUNS, seed: 8 },
  );
  fc.assert(
    fc.property(names, fc.array(host, { minLength: 1, maxLength: 20 }), (some, asked) => {
      const large = new ServerNameIndex([...some, ...filler].map((name) => [name, name] as const));
      return [...asked, ...asked].every(
        (name) => large.find(name.toLowerCase()) === plainServerName(some, name.toLowerCase()),
      );
    }),
    { numRuns: 300, seed: 9 },
  );
  t.pass('random names agree');
  t.end();
});

t.test('a large route table forgets old answers and stays right', (t) => {
  const hosts = Array.from(
    { length: 2000 },
    (_, index): VirtualHost => ({ name: `${index}`, domains: [`*.h${index}.test`], routes: [] }),
  );
  const table = new RouteTable(
    { name: 'r', virtual_hosts: hosts, ignore_port_in_host_matching: true, validate_clusters: false },
    false,
  );
  let wrong = 0;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 12_000; i++) {
      const want = i % 5 === 0 ? undefined : `${i % 2000}`;
      const asked = want === undefined ? `none${i}.test` : `n${i}.h${want}.test:443`;
      if (table.findVirtualHost(asked)?.virtualHost.name !== want) wrong++;
    }
  }
  t.equal(wrong, 0);
  t.end();
});

// The rules as they are written.

function plainVirtualHost(hosts: readonly VirtualHost[], authority: string): VirtualHost | undefined {
  const name = authority.replace(/:[^:\]]*$/, '').toLowerCase();
  const fitting = hosts
    .flatMap((owner) => owner.domains.map((text) => ({ owner, text: text.toLowerCase() })))
    .filter(({ text }) => {
      if (text === '*' || text === name) return true;
      if (name.length < text.length) return false;
      if (text.startsWith('*')) return name.endsWith(text.slice(1));
      return text.endsWith('*') && name.startsWith(text.slice(0, -1));
    });
  const kind = (text: string): number => (text === '*' ? 3 : text.startsWith('*') ? 1 : text.endsWith('*') ? 2 : 0);
  // Sorting is stable: of equal domains the first one stays.
  fitting.sort((a, b) => kind(a.text) - kind(b.text) || b.text.length - a.text.length);
  return fitting[0]?.owner;
}

function plainServerName(names: readonly string[], asked: string): string | undefined {
  const fitting = names.filter((name) => {
    const text = name.toLowerCase();
    return text === '*' || text === asked || (text.startsWith('*.') && asked.endsWith(text.slice(1)));
  });
  return fitting.sort((a, b) => Number(a.includes('*')) - Number(b.includes('*')) || b.length - a.length)[0];
}

function plainRoute(list: readonly Route[], facts: RequestMatchFacts): Route | undefined {
  const mark = facts.path.indexOf('?');
  const plain = mark === -1 ? facts.path : facts.path.slice(0, mark);
  const query = mark === -1 ? '' : facts.path.slice(mark + 1);
  return list.find(({ match: rule }) => {
    const fold = (text: string) => (rule.case_sensitive === false ? lower(text) : text);
    if (rule.path !== undefined && fold(plain) !== fold(toLatin1(rule.path))) return false;
    if (rule.prefix !== undefined && !fold(plain).startsWith(fold(toLatin1(rule.prefix)))) return false;
    if (rule.safe_regex !== undefined && !isWhole(rule.safe_regex.regex, plain)) return false;
    return (
      (rule.headers ?? []).every((matcher) => plainHeader(matcher, facts)) &&
      (rule.query_parameters ?? []).every((matcher) => plainParameter(matcher, query))
    );
  });
}

function plainHeader(matcher: HeaderMatcher, facts: RequestMatchFacts): boolean {
  const pseudo: Readonly<Record<string, string>> = {
    ':method': facts.method,
    ':authority': facts.authority,
    ':scheme': facts.scheme,
  };
  const own = pseudo[matcher.name];
  const lines = own === undefined ? facts.headers.values(matcher.name) : [own];
  const { string_match: wanted } = matcher;
  const inverted = matcher.invert_match === true;
  if (wanted === undefined) return lines.length > 0 !== inverted;
  // A header that is not there decides nothing for a value, not even an inverted one, unless it counts as empty.
  if (lines.length === 0 && matcher.treat_missing_header_as_empty !== true) return false;
  return (lines.length === 0 ? [''] : lines).some((line) => plainString(wanted, line)) !== inverted;
}

function plainParameter(matcher: QueryParameterMatcher, query: string): boolean {
  const part = query.split('&').find((text) => text.split('=', 1)[0] === matcher.name);
  if (part === undefined) return false;
  const value = part.includes('=') ? part.slice(part.indexOf('=') + 1) : '';
  return matcher.string_match === undefined || plainString(matcher.string_match, value);
}

function plainString(matcher: StringMatcher, value: string): boolean {
  if (matcher.safe_regex !== undefined) return isWhole(matcher.safe_regex.regex, value);
  const fold = (text: string) => (matcher.ignore_case === true ? lower(text) : text);
  if (matcher.exact !== undefined) return fold(value) === fold(toLatin1(matcher.exact));
  return value.startsWith(toLatin1(matcher.prefix ?? ''));
}

function isWhole(pattern: string, text: string): boolean {
  const ignoreCase = pattern.startsWith('(?i)');
  return new RegExp(`^(?:${toLatin1(pattern.replace('(?i)', ''))})$`, ignoreCase ? 'i' : '').test(text);
}

/** What a wire would carry, one character per byte. */
function toLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function lower(text: string): string {
  return text.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
}
