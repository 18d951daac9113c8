// Where an HTTP/1.1 answer ends: just enough to count answers on a connection that stays.

/** Fed with bytes; one answer at a time, as one request at a time is on its way. */
export class AnswerReader {
  private readonly method: string;
  private text = '';

  /** `method` of the requests: what HEAD gets has no body. */
  constructor(method: string) {
    this.method = method;
  }

  /** Status of the answer that these bytes complete; `undefined` while something is missing. */
  push(chunk: Buffer): number | undefined {
    this.text += chunk.toString('latin1');
    for (;;) {
      const end = this.text.indexOf('\r\n\r\n');
      if (end === -1) return undefined;
      const status = Number(this.text.slice(9, 12));
      // 100 and 103 come before the answer.
      if (status >= 200) return this.complete(status, this.text.slice(0, end).toLowerCase(), end + 4);
      this.text = this.text.slice(end + 4);
    }
  }

  private complete(status: number, head: string, start: number): number | undefined {
    const hasNone = this.method === 'HEAD' || status === 204 || status === 304;
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    const isComplete = hasNone
      ? true
      : length === undefined
        ? this.text.endsWith('0\r\n\r\n')
        : this.text.length >= start + Number(length);
    if (!isComplete) return undefined;
    this.text = '';
    return status;
  }
}
