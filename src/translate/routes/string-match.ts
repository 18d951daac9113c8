// Istio's StringMatch as Envoy's matchers. Spec virtualservice.md §1.4, §7.6-7.8. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (translateHeaderMatch, translateQueryParamMatch), util.ConvertToEnvoyMatch.
import type { StringMatch } from '../../config/model/common.js';
import type { HeaderMatcher, QueryParameterMatcher, StringMatcher } from '../../xds/index.js';

/** Envoy's matcher, or `undefined` for `{}`, which means presence. */
export function stringMatcher(match: StringMatch): StringMatcher | undefined {
  if (match.exact !== undefined) return { exact: match.exact };
  if (match.prefix !== undefined) return { prefix: match.prefix };
  if (match.regex !== undefined) return { safe_regex: { regex: match.regex } };
  return undefined;
}

/** `{}`, and the one regex that is no regex. */
function isPresence(match: StringMatch): boolean {
  return match.regex === '*' || stringMatcher(match) === undefined;
}

/** A match on a value that must be there; `{}` asks for presence alone. */
export function headerMatcher(name: string, match: StringMatch): HeaderMatcher {
  const matcher = stringMatcher(match);
  return isPresence(match) || matcher === undefined ? { name, present_match: true } : { name, string_match: matcher };
}

/** Of `withoutHeaders`: a missing header counts as an empty one, except where only presence is asked for (§7.7). */
export function invertedHeaderMatcher(name: string, match: StringMatch): HeaderMatcher {
  const inverted = { ...headerMatcher(name, match), invert_match: true };
  return isPresence(match) ? inverted : { ...inverted, treat_missing_header_as_empty: true };
}

/** The same of a query parameter. */
export function queryParameterMatcher(name: string, match: StringMatch): QueryParameterMatcher {
  const matcher = stringMatcher(match);
  return isPresence(match) || matcher === undefined ? { name, present_match: true } : { name, string_match: matcher };
}
