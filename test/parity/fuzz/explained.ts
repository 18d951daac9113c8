// Differences that are listed in src/deviations.ts, recognised: fuzzing counts them instead of reporting them.
import type { CallSpec } from '../../golden/support.js';
import type { Verdict } from './pair.js';

interface Rule {
  /** Id of the deviation. */
  readonly id: string;
  readonly fits: (call: CallSpec, verdict: Verdict) => boolean;
}

const RULES: readonly Rule[] = [
  {
    id: 'h2-upstream-garbage',
    fits: (call, { envoy, postern }) =>
      JSON.stringify(call).includes('garbage') &&
      JSON.stringify(envoy.log).includes('protocol_error') &&
      JSON.stringify(postern.log).includes('connection_termination'),
  },
];

/** Id of the deviation that accounts for all of the differences; `undefined` when none does. */
export function explain(call: CallSpec, verdict: Verdict): string | undefined {
  return RULES.find((rule) => rule.fits(call, verdict))?.id;
}
