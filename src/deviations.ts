// What Envoy does and we do not, because Node or OpenSSL cannot: the list behind `postern deviations`. Each entry names
// the recorded calls that show it; the replay fails when one of them agrees after all.

/** One thing that Node or OpenSSL cannot do as Envoy does it. */
export interface Deviation {
  /** Short, unique. */
  readonly id: string;
  /** What the real gateway does. */
  readonly envoy: string;
  /** What postern does instead: the nearest that can be done. */
  readonly postern: string;
  /** Why no more can be done, with the function of Node or OpenSSL that stands in the way. */
  readonly why: string;
  /** Recorded calls, as `AREA/NAME: CALL`. */
  readonly calls: readonly string[];
}

/** In the order in which `postern deviations` prints them. */
export const deviations: readonly Deviation[] = [];
