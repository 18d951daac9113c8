// Path rewriting of a route (spec virtualservice.md §9.3, §9.4).
import { compileRegex, toBytes } from '../regex/index.js';
import type { RouteMatch } from '../xds/index.js';

/** The two forms; at most one is set. */
export interface RewriteAction {
  readonly prefix_rewrite?: string;
  readonly regex_rewrite?: { readonly pattern: { readonly regex: string }; readonly substitution: string };
}

/** Takes and gives a path with its query; `undefined` where nothing is rewritten after all. */
export type PathRewrite = (path: string) => string | undefined;

/**
 * `undefined` = the route does not rewrite. The query is kept in any case; nothing is normalised again. What would leave
 * no path before the query is no rewrite either. Source: envoyproxy/envoy source/common/router/config_impl.cc (finalizePathHeader).
 */
export function compileRewrite(match: RouteMatch, action: RewriteAction): PathRewrite | undefined {
  if (action.regex_rewrite !== undefined) {
    const regex = compileRegex(action.regex_rewrite.pattern.regex);
    const { substitution } = action.regex_rewrite;
    return (path) => {
      const { plain, query } = split(path);
      const rewritten = regex.kind === 'error' ? plain : regex.replaceAll(plain, substitution);
      return rewritten === '' ? undefined : rewritten + query;
    };
  }
  if (!action.prefix_rewrite) return undefined;
  const replacement = toBytes(action.prefix_rewrite);
  // The matched portion is the prefix itself; an exact path or a regular expression matched the whole path.
  const prefixLength = match.prefix === undefined ? undefined : toBytes(match.prefix).length;
  return (path) => {
    const { plain, query } = split(path);
    return replacement + (prefixLength === undefined ? '' : plain.slice(prefixLength)) + query;
  };
}

function split(path: string): { readonly plain: string; readonly query: string } {
  const mark = path.indexOf('?');
  return mark === -1 ? { plain: path, query: '' } : { plain: path.slice(0, mark), query: path.slice(mark) };
}
