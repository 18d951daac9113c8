// Writes access log lines: rendered at once, collected, and written in one piece within 20 ms or at 64 KiB (Envoy: 1 s or
// 64 KiB; a developer waits for the line).
import type { AccessLogSettings } from '../../xds/index.js';
import { compileAccessLog, type LineWriter } from './access-log-format.js';
import type { StreamInfo, StreamObserver } from './stream-info.js';

const FLUSH_DELAY = 20;
const FLUSH_SIZE = 64 * 1024;

/** The part of a Writable that is used. */
export interface LogStream {
  write(text: string): unknown;
}

export class AccessLogSink implements StreamObserver {
  private readonly mode: 'text' | 'json' | 'off';
  private readonly stream: LogStream;
  private line: LineWriter | undefined = undefined;
  private buffer = '';
  private timer: NodeJS.Timeout | undefined = undefined;

  /** `mode` is what the command line says; MeshConfig's own format counts where its encoding is that of `mode`. */
  constructor(mode: 'text' | 'json' | 'off', stream: LogStream) {
    this.mode = mode;
    this.stream = stream;
    this.configure({});
  }

  /**
   * Takes MeshConfig's settings. Returns Envoy's text when it would refuse the format; the format before stays then.
   */
  configure(settings: AccessLogSettings): string | undefined {
    if (this.mode === 'off') return undefined;
    const encoding = this.mode === 'json' || settings.encoding === 'JSON' ? 'JSON' : 'TEXT';
    const own = settings.format !== undefined && (settings.encoding ?? 'TEXT') === encoding;
    const compiled = compileAccessLog({ encoding, ...(own ? { format: settings.format } : {}) });
    if (compiled.kind === 'refused') return compiled.reason;
    this.line = compiled.write;
    return undefined;
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
    this.stream.write(text);
  }
}
