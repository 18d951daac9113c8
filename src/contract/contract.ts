// A contract file after decoding, with lists multiplied out: what the runner works on.
import type { Origin } from '../diagnostics/origin.js';
import type { FetchOptions } from '../gateway/client/fetch.js';
import type { StubAnswer } from '../stub/responding-stub.js';

/** A scalar of a contract. */
export type Scalar = string | number | boolean;

/** A written expectation: a value, a matcher, or several of which any will do. */
export type Expected =
  | { readonly kind: 'value'; readonly value: Scalar }
  | { readonly kind: 'text'; readonly how: 'prefix' | 'suffix' | 'contains' | 'regex'; readonly text: string }
  | { readonly kind: 'present' | 'absent' }
  | { readonly kind: 'not'; readonly of: Expected }
  | { readonly kind: 'anyOf'; readonly of: readonly Expected[] };

/** One thing that is compared. */
export interface Assertion {
  /** Where the actual value is found: ['headers', 'x-served-by']. */
  readonly path: readonly string[];
  readonly expected: Expected;
  readonly origin: Origin;
}

/** Everything under one `expect`. */
export interface Expectation {
  readonly assertions: readonly Assertion[];
  readonly split?: { readonly weights: Readonly<Record<string, number>>; readonly origin: Origin };
}

/** One request of a test. */
export interface Step {
  readonly url: string;
  /** Without `client`, which is known when the run begins. */
  readonly options: Omit<FetchOptions, 'client'>;
  /** Name under `clients`; absent = no certificate. */
  readonly client?: string;
  readonly http10: boolean;
  readonly repeat: number;
  readonly expect: Expectation;
  readonly origin: Origin;
}

/** One test, after multiplication. */
export interface TestCase {
  /** With what was multiplied: `beta users reach v2 [method=POST]`. */
  readonly name: string;
  readonly origin: Origin;
  readonly tags: readonly string[];
  readonly skip?: string;
  readonly knownBug?: string;
  /** All steps over one connection. */
  readonly shared: boolean;
  readonly samples: number;
  readonly steps: readonly Step[];
}

/** Who can present a certificate. Paths are resolved. */
export type ClientSpec = { readonly name: string; readonly origin: Origin } & (
  | { readonly kind: 'files'; readonly cert: string; readonly key: string }
  | {
      readonly kind: 'generated';
      readonly signedBy: 'self' | 'gateway';
      readonly commonName: string;
      readonly dnsNames: readonly string[];
      readonly uris: readonly string[];
    }
);

/** An upstream that stands in for a service. */
export interface UpstreamSpec {
  /** 'HOST[:PORT][/SUBSET]', as written. */
  readonly key: string;
  readonly origin: Origin;
  /** Empty: echoes. */
  readonly answers: readonly StubAnswer[];
}

/** The `gateway` block. Paths are resolved. */
export interface GatewaySpec {
  readonly devCerts: boolean;
  readonly meshConfig?: string;
  readonly gatewayLabels: Readonly<Record<string, string>>;
  readonly gatewayNamespace?: string;
  readonly namespace?: string;
  readonly nodeMetadata: Readonly<Record<string, string>>;
  readonly assumeServices?: boolean;
  readonly workloadCerts?: string;
  /** 'all', or kinds, objects and fields. */
  readonly allowUnemulated: 'all' | readonly string[];
}

/** A contract file. */
export interface Contract {
  /** As it was named. */
  readonly file: string;
  readonly text: string;
  /** Resolved. */
  readonly config: readonly string[];
  readonly configOrigin: Origin;
  readonly clients: readonly ClientSpec[];
  readonly gateway: GatewaySpec;
  readonly gatewayOrigin: Origin;
  readonly upstreams: readonly UpstreamSpec[];
  readonly tests: readonly TestCase[];
}
