// Rules and matches of a VirtualService that can never be used, as far as istiod sees it: the same matches as text, and
// prefixes that begin with an earlier prefix. Spec validation.md §4.6.
import { isNull, type YamlNode } from '../yaml/tree.js';
import type { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { type Pair, prefixPairs } from './pairs.js';
import { chosenMatch } from './values.js';
import type { Written } from './written.js';

/** As many as anybody would read. */
const MAX_PAIRS = 1000;

/** For http, tcp and tls rules each on their own. */
export function warnOfUnusedRules(spec: Written, found: Findings): void {
  for (const list of ['http', 'tcp', 'tls'] as const) new RuleList(spec.messages(list), list, found).warn();
}

class RuleList {
  private readonly rules: readonly Written[];
  private readonly kind: 'http' | 'tcp' | 'tls';
  private readonly found: Findings;
  private readonly firstSeen = new Map<string, number>();
  private readonly prefixes: PrefixMatch[] = [];

  constructor(rules: readonly Written[], kind: 'http' | 'tcp' | 'tls', found: Findings) {
    this.rules = rules;
    this.kind = kind;
    this.found = found;
  }

  warn(): void {
    let matchless = false;
    for (const [index, rule] of this.rules.entries()) {
      const matches = rule.messages('match');
      if (matches.length === 0) {
        if (matchless) this.ruleUnused(index, 'only the last rule can have no matches', rule);
        matchless = true;
        continue;
      }
      let repeated = 0;
      for (const [at, match] of matches.entries()) {
        if (matchless) this.ruleUnused(index, 'route without matches defined before', match);
        else if (!this.isNew(index, at, match)) repeated++;
      }
      if (repeated === matches.length) this.ruleUnused(index, 'all matches used by prior rules', rule);
    }
    this.warnOfPrefixes();
  }

  /** Remembers a match; says so when an earlier one is the same. */
  private isNew(index: number, at: number, match: Written): boolean {
    const canonical = canonicalMatch(match);
    const earlier = this.firstSeen.get(canonical);
    if (earlier !== undefined) {
      this.matchUnused(this.nameOf(index), this.matchName(match, at), this.nameOf(earlier), match);
      return false;
    }
    this.firstSeen.set(canonical, index);
    const prefix = this.kind === 'http' ? prefixMatch(match) : undefined;
    if (prefix !== undefined) {
      this.prefixes.push({ ...prefix, rule: this.nameOf(index), name: this.matchName(match, at), match });
    }
    return true;
  }

  private warnOfPrefixes(): void {
    const list = this.prefixes;
    const isCovered = ([first, second]: Pair): boolean => {
      const [a, b] = [list[first], list[second]];
      return a !== undefined && b !== undefined && a.prefix !== b.prefix && covers(a, b);
    };
    const texts = list.map(({ prefix }) => prefix);
    for (const [first, second] of prefixPairs(texts, isCovered, MAX_PAIRS)) {
      const [a, b] = [list[first], list[second]];
      if (a === undefined || b === undefined) continue;
      const other = `${a.name} of prefix ${a.prefix} on ${a.rule}`;
      this.matchUnused(b.rule, `${b.name} of prefix ${b.prefix}`, other, b.match);
    }
  }

  private nameOf(index: number): string {
    const name = this.kind === 'http' ? (this.rules[index]?.text('name') ?? '') : '';
    return name === '' ? `#${index}` : goQuote(name);
  }

  private matchName(match: Written, at: number): string {
    const name = this.kind === 'http' ? match.text('name') : '';
    return name === '' ? `#${at}` : goQuote(name);
  }

  private ruleUnused(index: number, reason: string, at: Written): void {
    const rule = this.nameOf(index);
    this.found.warning(`virtualService rule ${rule} not used (${reason})`, at.span, { kind: 'rule', rule, reason });
  }

  private matchUnused(rule: string, match: string, other: string, at: Written): void {
    this.found.warning(
      `virtualService rule ${rule} match ${match} is not used (duplicate/overlapping match in rule ${other})`,
      at.span,
      { kind: 'match', rule, match, other },
    );
  }
}

/** A match with `uri.prefix`, with what istiod compares of it. */
interface PrefixConditions {
  readonly prefix: string;
  readonly port: number;
  readonly method: string;
  readonly authority: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly queryParams: ReadonlyMap<string, string>;
  readonly withoutHeaders: ReadonlyMap<string, string>;
}

interface PrefixMatch extends PrefixConditions {
  readonly rule: string;
  readonly name: string;
  readonly match: Written;
}

function prefixMatch(match: Written): PrefixConditions | undefined {
  const uri = match.message('uri');
  if (uri === undefined || chosenMatch(uri) !== 'prefix' || uri.text('prefix') === '') return undefined;
  return {
    prefix: uri.text('prefix'),
    port: match.number('port'),
    // A match that says nothing of the method counts as one for GET.
    method: tagOf(match.message('method')) || 'exact:GET',
    authority: tagOf(match.message('authority')),
    headers: tagsOf(match, 'headers'),
    queryParams: tagsOf(match, 'queryParams'),
    withoutHeaders: tagsOf(match, 'withoutHeaders'),
  };
}

function tagsOf(match: Written, key: string): ReadonlyMap<string, string> {
  return new Map(match.namedMessages(key).map(([name, value]) => [name.value, tagOf(value)]));
}

/** Patterns and presence count as nothing. */
function tagOf(match: Written | undefined): string {
  const member = match === undefined ? undefined : chosenMatch(match);
  if (match === undefined || member === undefined || member === 'regex' || match.text(member) === '') return '';
  return `${member}:${match.text(member)}`;
}

function covers(first: PrefixConditions, second: PrefixConditions): boolean {
  return (
    second.prefix.startsWith(first.prefix) &&
    second.port === first.port &&
    first.method.startsWith(second.method) &&
    first.authority.startsWith(second.authority) &&
    coversAll(first.headers, second.headers) &&
    coversAll(first.queryParams, second.queryParams) &&
    coversAll(first.withoutHeaders, second.withoutHeaders)
  );
}

function coversAll(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): boolean {
  if (first.size !== second.size) return false;
  for (const [key, value] of first) {
    const other = second.get(key);
    if (other === undefined || !value.startsWith(other)) return false;
  }
  return true;
}

const STRING_MATCHES: ReadonlySet<string> = new Set(['uri', 'scheme', 'method', 'authority']);

/** Equal for matches that say the same, whatever their names and the order of their fields. */
function canonicalMatch(match: Written): string {
  const fields = match
    .entries()
    .filter(({ key, value }) => key !== 'name' && (STRING_MATCHES.has(key) || !isZero(value)))
    .map(({ key, value }) => `${JSON.stringify(key)}:${canonical(value)}`);
  return fields.sort().join(',');
}

function canonical(node: YamlNode): string {
  switch (node.kind) {
    case 'scalar':
      return JSON.stringify(node.value);
    case 'list':
      return `[${node.items.map(canonical).join(',')}]`;
    case 'map': {
      const fields = node.entries
        .filter(({ value }) => !isNull(value))
        .map(({ key, value }) => `${JSON.stringify(key)}:${canonical(value)}`);
      return `{${fields.sort().join(',')}}`;
    }
  }
}

/** What proto3 cannot tell from nothing. */
function isZero(node: YamlNode): boolean {
  if (node.kind === 'scalar') return node.value === '' || node.value === 0 || node.value === false;
  return node.kind === 'list' ? node.items.length === 0 : node.entries.every(({ value }) => isNull(value));
}
