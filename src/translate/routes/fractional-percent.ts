// Percentages in Envoy's form. Spec virtualservice.md §1.6. Source: istio/istio
// pilot/pkg/networking/core/route/route.go (translatePercentToFractionalPercent, translateIntegerToFractionalPercent).
import type { Percent } from '../../config/model/common.js';
import type { FractionalPercent } from '../../xds/index.js';

/** Millionths, cut off: 0.00005 % is never. Zero is left out, as in proto JSON. */
export function fractionalPercent(percent: Percent): FractionalPercent {
  const numerator = Math.trunc(percent.value * 10_000);
  return numerator === 0 ? { denominator: 'MILLION' } : { numerator, denominator: 'MILLION' };
}

/** Whole percents, of the old integer fields and of the default. */
export function integerPercent(value: number): FractionalPercent {
  return value === 0 ? {} : { numerator: value };
}
