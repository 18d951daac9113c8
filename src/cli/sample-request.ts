// A request that reaches a virtual host's rules, for the command that `run` prints: the first rule whose conditions can
// be met by writing them down.
import type { HeaderMatcher, Route, StringMatcher, VirtualHost } from '../xds/index.js';

export interface SampleRequest {
  /** With query. */
  readonly path: string;
  readonly method: string;
  /** 'name: value'. */
  readonly headers: readonly string[];
}

export const ROOT: SampleRequest = { path: '/', method: 'GET', headers: [] };

/** `ROOT` where no rule can be met this way (regular expressions). */
export function sampleRequest(virtualHost: VirtualHost): SampleRequest {
  for (const route of virtualHost.routes ?? []) {
    const sample = satisfy(route);
    if (sample !== undefined) return sample;
  }
  return ROOT;
}

/** A request per rule that can be met this way, in order. */
export function sampleRequests(virtualHost: VirtualHost): readonly SampleRequest[] {
  return (virtualHost.routes ?? []).map(satisfy).filter((sample) => sample !== undefined);
}

function satisfy({ match }: Route): SampleRequest | undefined {
  const target = match.path ?? match.prefix;
  if (target?.startsWith('/') !== true || match.dynamic_metadata !== undefined) return undefined;
  let method = 'GET';
  const headers: string[] = [];
  for (const matcher of match.headers ?? []) {
    if (matcher.invert_match === true) {
      // A header that is not sent meets it, unless it would have to be there.
      if (matcher.name.startsWith(':')) return undefined;
      continue;
    }
    const value = headerValue(matcher);
    if (value === undefined) return undefined;
    if (matcher.name === ':method') method = value;
    else if (matcher.name.startsWith(':')) return undefined;
    else headers.push(`${matcher.name}: ${value}`);
  }
  const query: string[] = [];
  for (const matcher of match.query_parameters ?? []) {
    const value = matcher.string_match === undefined ? '' : textFor(matcher.string_match);
    if (value === undefined) return undefined;
    query.push(`${encodeURIComponent(matcher.name)}=${encodeURIComponent(value)}`);
  }
  return { path: query.length === 0 ? target : `${target}?${query.join('&')}`, method, headers };
}

function headerValue({ string_match, present_match }: HeaderMatcher): string | undefined {
  if (string_match !== undefined) return textFor(string_match);
  return present_match === true ? '1' : undefined;
}

function textFor(matcher: StringMatcher): string | undefined {
  return matcher.exact ?? matcher.prefix ?? matcher.suffix ?? matcher.contains;
}
