// Writes access log lines: rendered at once, collected, and written in one piece within 5 ms or at 64 KiB (Envoy: 1 s or
// 64 KiB; a developer waits for the line).
import type { AccessLogSettings } from '../../xds/index.js';
import { compileAccessLog, type LineWriter } from './access-log-format.js';
import type { StreamInfo, StreamObserver } from './stream-info.js';

/** A quarter of the promised 20 ms: timers are late, and so is whoever reads. */
const FLUSH_DELAY = 5;
const FLUSH_SIZE = 64 * 1024;
/** What may wait for a reader of the log that does not read; lines beyond it are lost. */
const MAX_WAITING = 16 * 1024 * 1024;

/** The part of a Writable that is used. */
export interface LogStream {
  /** Bytes that have been written and not yet taken. */
  readonly writableLength?: number;
  write(text: string): unknown;
}

/** One per process; `off` writes nothing and renders nothing. */
export class AccessLogSink implements StreamObserver {
  private readonly mode: 'text' | 'json' | 'off';
  private readonly stream: LogStream;
  private line: LineWriter | undefined = undefined;
  private buffer = '';
  private timer: NodeJS.Timeout | undefined = undefined;

  /** `text` takes the encoding that the mesh asks for, text unless it says JSON; `json` is JSON whatever it says. */
  constructor(mode: 'text' | 'json' | 'off', stream: LogStream) {
    this.mode = mode;
    this.stream = stream;
    this.configure({});
  }

  /**
   * Takes the mesh's settings. Returns what is wrong with its format: Envoy's text when it would refuse it (the format
   * before stays then), or that a text format does not count for JSON.
   */
  configure(settings: AccessLogSettings): string | undefined {
    if (this.mode === 'off') return undefined;
    const encoding = this.mode === 'json' || settings.encoding === 'JSON' ? 'JSON' : 'TEXT';
    const own = settings.format !== undefined && (settings.encoding ?? 'TEXT') === encoding;
    const compiled = compileAccessLog({ encoding, ...(own ? { format: settings.format } : {}) });
    if (compiled.kind === 'refused') return compiled.reason;
    this.line = compiled.write;
    return own || settings.format === undefined ? undefined : 'it is for text lines, so JSON has the default names';
  }

  finished(info: StreamInfo): void {
    if (this.line === undefined) return;
    this.buffer += this.line(info);
    if (this.buffer.length >= FLUSH_SIZE) {
      this.flush();
      return;
    }
    this.timer ??= setTimeout(() => this.flush(), FLUSH_DELAY).unref();
  }

  /** Writes what is collected; to be called before the process ends. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.buffer === '') return;
    const text = this.buffer;
    this.buffer = '';
    if ((this.stream.writableLength ?? 0) > MAX_WAITING) return;
    this.stream.write(text);
  }
}
