// What a request that was made showed.
import type { Reply, UpstreamSaw } from '../gateway/client/reply.js';
import { ABSENT, type Fact, type Facts, factOf } from './facts.js';

/** Looks up facts by the paths that contracts use. */
export function liveFacts(reply: Reply): Facts {
  return (path) => {
    const [field, key = ''] = path;
    switch (field) {
      case 'status':
        return factOf(reply.status);
      case 'body':
        return reply.status === undefined ? ABSENT : factOf(reply.body);
      case 'headers':
        return Object.hasOwn(reply.headers, key) ? factOf(reply.headers[key]) : ABSENT;
      case 'location':
        return factOf(reply.headers['location']);
      case 'details':
        return factOf(reply.details);
      case 'error':
        return factOf(reply.error);
      case 'flags':
        return factOf(reply.flags);
      case 'route':
        return routeFact(reply, key);
      case 'upstream':
        return upstreamFact(reply.upstreamSaw, path.slice(1));
      case 'tls':
        return tlsFact(reply, key);
      default:
        return ABSENT;
    }
  };
}

function routeFact({ decision }: Reply, key: string): Fact {
  switch (key) {
    case 'listener':
    case 'filterChain':
    case 'routeConfig':
    case 'virtualHost':
    case 'route':
    case 'cluster':
    case 'endpoint':
      return factOf(decision[key]);
    default:
      return ABSENT;
  }
}

function upstreamFact(saw: UpstreamSaw | undefined, path: readonly string[]): Fact {
  const [field, key = ''] = path;
  if (saw === undefined) return ABSENT;
  switch (field) {
    case undefined:
      return factOf('asked');
    case 'headers':
      return Object.hasOwn(saw.headers, key) ? factOf(saw.headers[key]) : ABSENT;
    case 'tls':
      return tlsOfUpstream(saw, key);
    case 'server':
    case 'protocol':
    case 'method':
    case 'path':
    case 'authority':
    case 'body':
      return factOf(saw[field]);
    default:
      return ABSENT;
  }
}

function tlsOfUpstream({ tls }: UpstreamSaw, key: string): Fact {
  switch (key) {
    case 'sni':
    case 'alpn':
    case 'version':
    case 'clientSubject':
      return factOf(tls?.[key]);
    default:
      return ABSENT;
  }
}

function tlsFact({ tls }: Reply, key: string): Fact {
  if (tls === undefined) return ABSENT;
  if (key === 'certificate') {
    const [value, ...also] = tls.names ?? [];
    return value === undefined ? ABSENT : { kind: 'value', value, also };
  }
  return key === 'version' || key === 'alpn' || key === 'alert' ? factOf(tls[key]) : ABSENT;
}
