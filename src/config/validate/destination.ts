// Destinations of routes. Spec validation.md §4.2 (weights), §4.3.
import type { Findings } from './findings.js';
import { validateHeaders } from './header-text.js';
import { checkSubsetName, checkWildcardDomain } from './names.js';
import { checkPort } from './values.js';
import type { Written } from './written.js';

/** §4.3: a host name, never an address. */
export function validateDestination(destination: Written | undefined, found: Findings): void {
  if (destination === undefined) return;
  const host = destination.text('host');
  const text = host === '*' ? `invalid destination host ${host}` : checkWildcardDomain(host);
  found.errorIf(text, destination.spanOf('host'));
  const subset = destination.text('subset');
  if (subset !== '') found.errorIf(checkSubsetName(subset), destination.spanOf('subset'));
  const port = destination.message('port');
  if (port !== undefined) found.errorIf(checkPort(port.number('number')), port.spanOf('number'));
}

/** `route` of http, tls and tcp rules; only the first has headers. */
export function validateDestinations(rule: Written, found: Findings): void {
  const routes = rule.messages('route');
  let total = 0;
  for (const route of routes) {
    const destination = route.message('destination');
    if (destination === undefined) found.blockError('destination is required', route.span);
    validateHeaders(route.message('headers'), found);
    validateDestination(destination, found);
    const weight = route.number('weight');
    if (weight < 0) found.error(`weight ${weight} < 0`, route.spanOf('weight'));
    // Go adds in 32 bits.
    total = (total + weight) | 0;
  }
  if (routes.length > 1 && total === 0) found.error('total destination weight = 0', rule.spanOf('route'));
}
