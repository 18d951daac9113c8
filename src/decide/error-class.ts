// From what Envoy would log of a request or connection to the class of error (spec interface.md §2).
import { isBlackhole } from '../xds/index.js';
import type { ErrorClass } from './decision.js';

/** What the log says, and what it does not say but the gateway knows. */
export interface LoggedOutcome {
  /** Comma-joined, in the order in which they were set; '' = none. */
  readonly flags: string;
  readonly details: string;
  readonly status: number;
  /** `%UPSTREAM_TRANSPORT_FAILURE_REASON%`; '' = none. */
  readonly upstreamTransportFailure: string;
  /** The virtual host that was chosen; absent = none. */
  readonly virtualHost: string | undefined;
  /** The request was answered by a virtual host that wants TLS. */
  readonly isTlsRedirect: boolean;
}

/** Absent = nothing that has a class (an answer of an upstream, an injected fault, …). */
export function errorClassOf(outcome: LoggedOutcome): ErrorClass | undefined {
  const { flags, details, status, virtualHost } = outcome;
  for (const flag of flags === '' ? [] : flags.split(',')) {
    switch (flag) {
      case 'NR':
        if (details === 'filter_chain_not_found') return 'no_filter_chain';
        return virtualHost === undefined || isBlackhole({ name: virtualHost }) ? 'no_virtual_host' : 'no_route';
      case 'NC':
        return 'no_cluster';
      case 'UH':
        return 'no_endpoint';
      case 'UF':
        // A connection that is refused has a reason there, too: `delayed_connect_error:_Connection_refused`.
        return /^TLS[_ ]/.test(outcome.upstreamTransportFailure) ? 'upstream_tls' : 'upstream_connect';
      case 'UC':
      case 'UR':
      case 'UPE':
        return 'upstream_reset';
      case 'UT':
      case 'SI':
        return 'timeout';
      case 'DPE':
        return 'protocol_error';
      default:
        break;
    }
  }
  if (flags !== '') return undefined;
  if (outcome.isTlsRedirect && status === 301) return 'tls_redirect';
  const isOurs = details !== '' && details !== 'via_upstream';
  return isOurs && virtualHost === undefined && status >= 400 ? 'protocol_error' : undefined;
}
