// `http` rules of a VirtualService, in Istio's order. Spec validation.md §4.2; Istio:
// pkg/config/validation/virtualservice.go validateHTTPRoute.
import { validateDestination, validateDestinations } from './destination.js';
import { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { checkMatchHeaderName, isAuthority, validateHeaders } from './header-text.js';
import { validateCors, validateFault, validateRetries } from './http-policies.js';
import { isDnsLabel } from './names.js';
import { validateGatewayNames } from './references.js';
import {
  checkHttpStatus,
  checkPort,
  checkRegex,
  chosenMatch,
  validateDuration,
  validateLabels,
  validateMatchRegex,
  validateStringMatch,
} from './values.js';
import type { Written } from './written.js';

/** `delegated`: the VirtualService has no hosts. */
export function validateHttpRoute(rule: Written, delegated: boolean, found: Findings): void {
  validateConflicts(rule, delegated, found);
  validateMatches(rule.messages('match'), found);
  validateHeaders(rule.message('headers'), found);
  validateCors(rule.message('corsPolicy'), found);
  validateFault(rule.message('fault'), found);
  validateMirrorShares(rule, found);
  validateDestination(rule.message('mirror'), found);
  for (const mirror of rule.messages('mirrors')) validateMirror(mirror, found);
  validateRedirect(rule, found);
  validateDirectResponse(rule.message('directResponse'), found);
  validateRetries(rule.message('retries'), found);
  validateRewrite(rule.message('rewrite'), found);
  validateAuthority(rule, found);
  validateDestinations(rule, found);
  validateDuration(rule, 'timeout', found);
}

function validateConflicts(rule: Written, delegated: boolean, found: Findings): void {
  const routes = rule.messages('route').length > 0;
  if (!delegated && rule.has('delegate')) {
    const name = rule.text('name');
    if (rule.has('redirect')) {
      found.error(`root HTTP route ${name} must not specify redirect`, rule.spanOf('redirect'));
    }
    if (routes) found.error(`root HTTP route ${name} must not specify route`, rule.spanOf('route'));
    return;
  }
  if (rule.has('delegate')) found.error('delegate HTTP route cannot contain delegate', rule.spanOf('delegate'));
  const both = (key: string, text: string): void => {
    if (rule.has(key) && (key !== 'route' || routes)) found.error(text, rule.spanOf(key));
  };
  if (rule.has('redirect')) {
    both('route', 'HTTP route cannot contain both route and redirect');
    both('fault', 'HTTP route cannot contain both fault and redirect');
    both('rewrite', 'HTTP route rule cannot contain both rewrite and redirect');
    both('directResponse', 'HTTP route rule cannot contain both direct_response and redirect');
  } else if (rule.has('directResponse')) {
    both('route', 'HTTP route cannot contain both route and direct_response');
    both('fault', 'HTTP route cannot contain both fault and direct_response');
    both('rewrite', 'HTTP route rule cannot contain both rewrite and direct_response');
  } else if (!routes) found.error('HTTP route, redirect or direct_response is required', rule.span);
  if (rule.has('mirror') && rule.messages('mirrors').length > 0) {
    found.error('HTTP route cannot contain both mirror and mirrors', rule.spanOf('mirrors'));
  }
}

function validateMatches(matches: readonly Written[], found: Findings): void {
  for (const match of matches) {
    for (const [name, value] of match.namedMessages('headers')) {
      found.errorIf(checkMatchHeaderName(name.value), name.span);
      validateStringMatch(value, 'headers', found);
    }
    for (const [name, value] of match.namedMessages('withoutHeaders')) {
      found.errorIf(checkMatchHeaderName(name.value), name.span);
      // Here `*` is no pattern: it stands for presence.
      if (!(chosenMatch(value) === 'regex' && value.text('regex') === '*')) {
        validateStringMatch(value, 'withoutHeaders', found);
      }
    }
    const uri = match.message('uri');
    // An empty prefix of a path is every path.
    if (uri !== undefined) validateMatchRegex(uri, 'uri', found);
    for (const key of ['scheme', 'method', 'authority']) {
      const value = match.message(key);
      if (value !== undefined) validateStringMatch(value, key, found);
    }
    for (const [, value] of match.namedMessages('queryParams')) validateStringMatch(value, 'queryParams', found);
  }
  for (const match of matches) {
    const port = match.number('port');
    if (port !== 0) found.errorIf(checkPort(port), match.spanOf('port'));
    validateLabels(match, 'sourceLabels', found);
    const gateways = new Findings();
    validateGatewayNames(match.texts('gateways'), gateways);
    found.addErrors(gateways);
    const namespace = match.text('sourceNamespace');
    if (namespace !== '' && !isDnsLabel(namespace)) {
      found.error(`sourceNamespace match ${namespace} is invalid`, match.spanOf('sourceNamespace'));
    }
  }
}

function validateMirrorShares(rule: Written, found: Findings): void {
  // The schema lists this one field under both of its names.
  const key = rule.oneOf('mirror_percent', 'mirrorPercent');
  if (key !== undefined) {
    const percent = rule.number(key);
    const span = rule.spanOf(key);
    if (percent > 100) found.error(`mirror_percent must have a max value of 100 (it has ${percent})`, span);
    found.warning('using deprecated setting "mirrorPercent", use "mirrorPercentage" instead', span);
  }
  validateShare(rule.message('mirrorPercentage'), 'mirror_percentage', found);
}

function validateShare(percent: Written | undefined, name: string, found: Findings): void {
  if (percent === undefined) return;
  const value = percent.number('value');
  const span = percent.spanOf('value');
  if (value > 100) found.error(`${name} must have a max value of 100 (it has ${value.toFixed(6)})`, span);
  if (value < 0) found.error(`${name} must have a min value of 0 (it has ${value.toFixed(6)})`, span);
}

function validateMirror(mirror: Written, found: Findings): void {
  const destination = mirror.message('destination');
  if (destination === undefined) {
    found.error('destination is required for mirrors', mirror.span);
    return;
  }
  validateDestination(destination, found);
  validateShare(mirror.message('percentage'), 'mirror percentage', found);
}

/** The first rule that fails is the only one told. */
function validateRedirect(rule: Written, found: Findings): void {
  const redirect = rule.message('redirect');
  if (redirect === undefined) return;
  const error = (text: string, key: string): void => found.error(text, redirect.spanOf(key));
  const prefix = redirect.text('prefixRewrite');
  const port = redirect.oneOf('port', 'derivePort');
  if (redirect.text('uri') !== '' && prefix !== '') {
    error('redirect may only specify one of uri or prefix_rewrite', 'prefixRewrite');
    return;
  }
  if (prefix !== '' && rule.messages('match').some(matchesPathOtherwise)) {
    error('redirect prefix_rewrite requires all URI matches to use prefix match type', 'prefixRewrite');
    return;
  }
  const says = ['uri', 'prefixRewrite', 'authority', 'scheme'].some((key) => redirect.text(key) !== '');
  if (!says && port === undefined) {
    found.error('redirect must specify URI, authority, scheme, or port', redirect.span);
    return;
  }
  const code = redirect.number('redirectCode');
  if (code !== 0 && (code < 300 || code > 399)) {
    error(`${code} is not a valid redirect code, must be 3xx`, 'redirectCode');
    return;
  }
  const scheme = redirect.text('scheme');
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') {
    error('invalid redirect scheme, must be "http" or "https"', 'scheme');
    return;
  }
  if (port === 'port' && redirect.number('port') > 0) {
    found.errorIf(checkPort(redirect.number('port')), redirect.spanOf('port'));
  }
}

function matchesPathOtherwise(match: Written): boolean {
  const uri = match.message('uri');
  return uri !== undefined && chosenMatch(uri) !== 'prefix';
}

const KILOBYTE = 1024;

function validateDirectResponse(response: Written | undefined, found: Findings): void {
  if (response === undefined) return;
  const size = bodySize(response.message('body'));
  const body = response.spanOf('body');
  const large = 'large direct_responses may impact control plane performance';
  if (size > KILOBYTE * KILOBYTE) found.error(`${large}, must be less than 1MB`, body);
  else if (size > 100 * KILOBYTE) found.warning(large, body);
  found.errorIf(checkHttpStatus(response.number('status')), response.spanOf('status'));
}

function bodySize(body: Written | undefined): number {
  const member = body?.oneOf('string', 'bytes');
  if (body === undefined || member === undefined) return 0;
  return Buffer.byteLength(body.text(member), member === 'bytes' ? 'base64' : 'utf8');
}

/** The first rule that fails is the only one told. */
function validateRewrite(rewrite: Written | undefined, found: Findings): void {
  if (rewrite === undefined) return;
  const regex = rewrite.message('uriRegexRewrite');
  if (rewrite.text('uri') !== '' && regex !== undefined) {
    found.error('rewrite may only contain one of URI or UriRegexRewrite', rewrite.spanOf('uriRegexRewrite'));
    return;
  }
  if (regex === undefined) {
    if (rewrite.text('uri') !== '' || rewrite.text('authority') !== '') return;
    found.error(
      'rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified',
      rewrite.span,
    );
    return;
  }
  const pattern = regex.text('match');
  const complete = pattern !== '' && regex.text('rewrite') !== '';
  const problem = complete
    ? checkRegex(pattern, 'HTTPRewrite.UriRegexRewrite.Match')
    : 'UriRegexRewrite requires both Rewrite and Match fields to be specified';
  if (problem !== undefined) {
    found.error(`UriRegexRewrite has errors\n${problem}`, complete ? regex.spanOf('match') : regex.span);
  }
}

/** The authority may be given once: by the rewrite, or by one header of the rule. */
function validateAuthority(rule: Written, found: Findings): void {
  let current = rule.message('rewrite')?.text('authority') ?? '';
  const request = rule.message('headers')?.message('request');
  for (const operation of ['set', 'add']) {
    for (const { key, value, span } of request?.pairs(operation) ?? []) {
      if (!isAuthority(key)) continue;
      if (current !== '') {
        found.error(
          `authority header cannot be set multiple times: have ${goQuote(current)}, attempting to set ${goQuote(value)}`,
          span,
        );
        return;
      }
      current = value;
    }
  }
}
