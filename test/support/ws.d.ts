// What the tests use of `ws`, which ships no types.
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { IncomingMessage, Server } from 'node:http';

  export class WebSocket extends EventEmitter {
    constructor(
      url: string,
      options?: {
        readonly perMessageDeflate?: boolean;
        readonly headers?: Readonly<Record<string, string>>;
        readonly ca?: string;
        readonly servername?: string;
      },
    );
    send(data: string | Buffer, options?: { readonly binary?: boolean }): void;
    ping(data?: string): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
    once(event: 'open' | 'error', listener: (error: Error) => void): this;
    once(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
    once(event: 'pong', listener: (data: Buffer) => void): this;
    once(event: 'close', listener: (code: number, reason: Buffer) => void): this;
    once(event: 'unexpected-response', listener: (request: unknown, response: IncomingMessage) => void): this;
    on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: {
      readonly server: Server;
      readonly maxPayload?: number;
      readonly verifyClient?: (info: { readonly req: IncomingMessage }) => boolean;
    });
    readonly clients: ReadonlySet<WebSocket>;
    close(): void;
    on(event: 'connection', listener: (socket: WebSocket) => void): this;
  }
}
