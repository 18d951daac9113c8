// How an upstream is told to behave: the value of a request header `x-up`, or the same text given at its start.

/** What an upstream does instead of answering well. */
export type Mishap = 'hang' | 'close' | 'reset' | 'garbage';

export interface Behaviour {
  /** Overrides 200. */
  readonly status?: number;
  /** Milliseconds before the answer. */
  readonly delay: number;
  readonly mishap?: Mishap;
  /** With `reset`: RST_STREAM with this code. */
  readonly resetCode?: number;
  /** The first `count` tries of one request identifier end in `status` or `mishap`. */
  readonly failures?: { readonly count: number; readonly status?: number; readonly mishap?: Mishap };
  /** Added to the usual ones. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Bytes of the body, all `x`. */
  readonly size?: number;
  readonly chunked: boolean;
  readonly trailers: boolean;
  /** Breaks off within the body. */
  readonly abort: boolean;
  /** 103 first. */
  readonly early: boolean;
  readonly closeAfter: boolean;
  /** gRPC status other than OK, in a response of headers alone. */
  readonly grpcStatus?: number;
}

/**
 * Reads `status=503;delay=20;header=x-a:1;chunked`.
 *
 * Keys: `status=N`, `delay=MS`, `hang`, `close`, `reset` or `reset=CODE`, `garbage`, `fail=N:STATUS` or `fail=N:MISHAP`,
 * `header=NAME:VALUE` (repeatable), `size=N`, `chunked`, `trailers`, `abort`, `early`, `closeafter`, `grpc=CODE`.
 * Unknown keys mean nothing.
 */
export function parseBehaviour(text: string): Behaviour {
  const headers: [string, string][] = [];
  const behaviour: { -readonly [K in keyof Behaviour]: Behaviour[K] } = {
    delay: 0,
    headers,
    chunked: false,
    trailers: false,
    abort: false,
    early: false,
    closeAfter: false,
  };
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const key = (equals === -1 ? part : part.slice(0, equals)).trim();
    const value = equals === -1 ? '' : part.slice(equals + 1);
    switch (key) {
      case 'status':
        behaviour.status = Number(value);
        break;
      case 'delay':
        behaviour.delay = Number(value);
        break;
      case 'hang':
      case 'close':
      case 'garbage':
        behaviour.mishap = key;
        break;
      case 'reset':
        behaviour.mishap = key;
        if (value !== '') behaviour.resetCode = Number(value);
        break;
      case 'fail': {
        const [count = '1', how = '503'] = value.split(':');
        behaviour.failures = { count: Number(count), ...(isMishap(how) ? { mishap: how } : { status: Number(how) }) };
        break;
      }
      case 'header': {
        const colon = value.indexOf(':');
        headers.push([value.slice(0, colon), value.slice(colon + 1)]);
        break;
      }
      case 'size':
        behaviour.size = Number(value);
        break;
      case 'chunked':
      case 'trailers':
      case 'abort':
      case 'early':
        behaviour[key] = true;
        break;
      case 'closeafter':
        behaviour.closeAfter = true;
        break;
      case 'grpc':
        behaviour.grpcStatus = Number(value);
        break;
      default:
        break;
    }
  }
  return behaviour;
}

function isMishap(text: string): text is Mishap {
  return text === 'hang' || text === 'close' || text === 'reset' || text === 'garbage';
}
