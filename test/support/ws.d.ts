// What the tests use of `ws`, which ships no types.
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { Server } from 'node:http';

  export class WebSocket extends EventEmitter {
    constructor(url: string, options?: { readonly perMessageDeflate?: boolean });
    send(data: string | Buffer, options?: { readonly binary?: boolean }): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
    once(event: 'open' | 'error', listener: (error: Error) => void): this;
    once(event: 'message', listener: (data: Buffer) => void): this;
    once(event: 'close', listener: (code: number) => void): this;
    on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): this;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: { readonly server: Server });
    readonly clients: ReadonlySet<WebSocket>;
    close(): void;
    on(event: 'connection', listener: (socket: WebSocket) => void): this;
  }
}
