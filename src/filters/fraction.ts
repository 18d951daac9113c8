// Percentages of faults, mirrors and CORS.
import type { FractionalPercent } from '../xds/index.js';

const DENOMINATORS: Readonly<Record<NonNullable<FractionalPercent['denominator']>, number>> = {
  HUNDRED: 100,
  TEN_THOUSAND: 10_000,
  MILLION: 1_000_000,
};

/** `draw` is a number from 0 up to, not including, 1. An absent percentage never fires (spec virtualservice.md §11). */
export function fires(percentage: FractionalPercent | undefined, draw: number): boolean {
  if (percentage === undefined) return false;
  const denominator = DENOMINATORS[percentage.denominator ?? 'HUNDRED'];
  return Math.floor(draw * denominator) < (percentage.numerator ?? 0);
}

/** The same as a number from 0 to 100. */
export function percentOf(percentage: FractionalPercent | undefined): number {
  return ((percentage?.numerator ?? 0) * 100) / DENOMINATORS[percentage?.denominator ?? 'HUNDRED'];
}
