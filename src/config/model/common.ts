// Pieces that several Istio kinds share. Field names are the API's; `undefined` is "not written", which for Istio
// differs from zero. Durations are milliseconds.

export type Labels = Readonly<Record<string, string>>;

/** Exactly one member is set; none (`{}`) means presence. */
export interface StringMatch {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

/** 0..100. */
export interface Percent {
  readonly value: number;
}

export interface HeaderOperations {
  /** In the order in which they were written. */
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

export interface Headers {
  readonly request?: HeaderOperations;
  readonly response?: HeaderOperations;
}

export interface Destination {
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number: number };
}
