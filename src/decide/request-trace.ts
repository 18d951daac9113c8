// What explain hears of a request on its way: routes that did not match and why, weights, percentages.
import { percentOf } from '../filters/fraction.js';
import type { RequestMatchFacts } from '../match/route-index.js';
import type { FractionalPercent } from '../xds/index.js';
import type { RequestTrace } from './request-decision.js';
import type { CompiledDestination, CompiledForward, CompiledVirtualHost } from './route-table.js';

/** One step for each route that came before the matching one, with its first condition that failed. */
export function traceRoutes(trace: RequestTrace, host: CompiledVirtualHost, facts: RequestMatchFacts): void {
  const { routes = [] } = host.virtualHost;
  for (const { position, failure } of host.explain(facts)) {
    if (failure === undefined) continue;
    const route = routes[position];
    trace.step('route', 'no match', `${route?.name ?? `rule ${position + 1}`}: ${failure}`, route?.originId);
  }
}

/** The draw between weighted destinations. */
export function traceWeights(
  trace: RequestTrace,
  forward: CompiledForward,
  chosen: CompiledDestination | undefined,
): void {
  const shares = forward.destinations.map(({ begin, end, cluster }) => `${end - begin} ${cluster}`);
  trace.step('weights', chosen?.cluster ?? 'none', `drawn from ${shares.join(', ')}`);
}

/** How often something fires, in words. */
export function traceChance(percentage: FractionalPercent | undefined): string {
  return `for ${percentOf(percentage)} % of the requests`;
}
