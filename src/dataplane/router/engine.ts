// http2-proxy as the forwarding engine (dependencies.md §2, http2-proxy traps 1-14), driven with objects of our own: it
// moves the request's body to the upstream and hands us the upstream's answer. Because the objects are not Node's, none
// of its header opinions reach the wire and bodies of GET, unknown methods, 1xx and trailers pass.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import http2Proxy from 'http2-proxy';
import type { SocketAddress } from '../../xds/index.js';
import type { ByteSource } from '../codec/stream.js';

/** Addresses and target, of which the engine only makes text that nobody reads. */
export interface EngineRequestHead {
  readonly method: string;
  readonly url: string;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** What the router wants to know of the pumping. */
export interface EngineRequestEvents {
  /** The engine listens to everything and will pump: the upstream side may start. */
  onWired(): void;
  /** A piece of the body on its way to the upstream. */
  onChunk(chunk: Buffer): void;
  onEnd(): void;
}

/** What the engine reads of a request. It builds a `Forwarded` header from the addresses, which nobody looks at. */
export class EngineRequest extends EventEmitter {
  readonly method: string;
  readonly url: string;
  readonly headers = {};
  readonly httpVersion = '1.1';
  readonly socket: {
    readonly localAddress: string;
    readonly localPort: number;
    readonly remoteAddress: string;
    readonly remotePort: number;
  };
  aborted = false;
  private readonly body: ByteSource;
  private readonly events: EngineRequestEvents;
  private flowing = false;

  constructor(head: EngineRequestHead, body: ByteSource, events: EngineRequestEvents) {
    super();
    const { local, remote } = head;
    this.method = head.method;
    this.url = head.url;
    this.socket = {
      localAddress: local.address,
      localPort: local.port,
      remoteAddress: remote.address,
      remotePort: remote.port,
    };
    this.body = body;
    this.events = events;
  }

  override on(event: string, listener: (...args: never[]) => void): this {
    super.on(event, listener as (...args: unknown[]) => void);
    if (event === 'data' && !this.flowing) {
      this.flowing = true;
      this.body.on('data', (chunk: Buffer) => {
        this.events.onChunk(chunk);
        this.emit('data', chunk);
      });
      this.body.on('end', () => {
        this.events.onEnd();
        this.emit('end');
      });
      this.events.onWired();
    }
    return this;
  }

  pause(): void {
    this.body.pause();
  }

  resume(): void {
    this.body.resume();
  }

  /** The client has gone: the engine gives the upstream request up. */
  abort(): void {
    this.aborted = true;
    this.emit('aborted');
  }
}

/** The engine watches the response only for its end: 'finish' when it is complete, 'close' when it is given up. */
export class EngineResponse extends EventEmitter {
  /** Never called: what the upstream says goes through `onRes`. Its presence tells the engine that this is no raw socket. */
  writeHead(): void {}
}

/** What the engine's upstream side writes to. */
export interface EngineTarget {
  write(chunk: Buffer): boolean;
  end(): void;
  abort(): void;
}

/** The upstream side: emits 'response' or 'error' once, and 'drain'. */
export class EngineUpstream extends EventEmitter {
  /** Present and not connecting: the engine starts to pump at once; waiting for a connection is the router's. */
  readonly socket = { connecting: false } as const;
  private readonly target: EngineTarget;

  constructor(target: EngineTarget) {
    super();
    this.target = target;
  }

  write(chunk: Buffer): boolean {
    return this.target.write(chunk);
  }

  end(): void {
    this.target.end();
  }

  abort(): void {
    this.target.abort();
  }
}

/** The upstream's response head; its body flows past the engine. */
export class EngineUpstreamResponse extends EventEmitter {
  headers = {};
  private readonly onDestroy: () => void;

  constructor(onDestroy: () => void) {
    super();
    this.onDestroy = onDestroy;
  }

  destroy(): void {
    this.onDestroy();
  }
}

/**
 * Forwards one request. `open` is asked for the upstream side once; `answered` is told of its response. Resolves when the
 * exchange is over, rejects with what the upstream side emitted as 'error', or with an error of the engine's own.
 */
export async function forwardThroughEngine(
  request: EngineRequest,
  response: EngineResponse,
  open: () => EngineUpstream,
  answered: (response: EngineUpstreamResponse) => void,
): Promise<void> {
  await http2Proxy.web(
    // The engine's types ask for Node's objects; what it uses of them is what ours have.
    request as unknown as IncomingMessage,
    response as unknown as ServerResponse,
    {
      hostname: 'upstream.invalid',
      port: 80,
      onReq: async () => open() as never,
      onRes: async (_request: unknown, _response: unknown, upstream: unknown) => {
        answered(upstream as EngineUpstreamResponse);
      },
    } as never,
  );
}
