// One line on a terminal that says how far a long command is, and that is gone when it has finished.

const PAUSE = 100;

/** Writes nothing where the stream is no terminal, nor for what takes no time. */
export class Progress {
  private readonly stream: NodeJS.WriteStream;
  private last: number = performance.now();
  private isShown = false;

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
  }

  show(text: string): void {
    if (this.stream.isTTY !== true) return;
    const now = performance.now();
    if (now - this.last < PAUSE) return;
    this.last = now;
    this.isShown = true;
    this.stream.write(`\r\u001b[K${text}`);
  }

  clear(): void {
    if (this.isShown) this.stream.write('\r\u001b[K');
    this.isShown = false;
    this.last = performance.now();
  }
}
