// The ordered header list that filters work on. One flat array of alternating names and values keeps order, repetition
// and case of values at no cost per header; names are lower case throughout (spec dataplane.md §3.4).
import type { HeaderReader } from '../xds/index.js';

/**
 * Headers in order. Pseudo headers are not in here: method, scheme, authority and path are fields of the request.
 *
 *     const headers = new HeaderMap(['accept', '*' + '/*', 'x-a', '1', 'x-a', '2']);
 *     headers.values('x-a'); // ['1', '2']
 *     headers.set('x-a', '3'); // one line, where the first one stood
 */
export class HeaderMap implements HeaderReader {
  /** name, value, name, value … Names must be lower case. */
  readonly raw: string[];

  constructor(raw: string[] = []) {
    this.raw = raw;
  }

  clone(): HeaderMap {
    return new HeaderMap(this.raw.slice());
  }

  get(name: string): string | undefined {
    const raw = this.raw;
    for (let i = 0; i < raw.length; i += 2) if (raw[i] === name) return raw[i + 1];
    return undefined;
  }

  has(name: string): boolean {
    const raw = this.raw;
    for (let i = 0; i < raw.length; i += 2) if (raw[i] === name) return true;
    return false;
  }

  values(name: string): string[] {
    const raw = this.raw;
    const found: string[] = [];
    for (let i = 0; i < raw.length; i += 2) if (raw[i] === name) found.push(raw[i + 1] as string);
    return found;
  }

  /** Adds a line at the end, whether or not the name exists. */
  append(name: string, value: string): void {
    this.raw.push(name, value);
  }

  /** One line with this value: in place of the first of that name (the others go), else at the end. */
  set(name: string, value: string): void {
    const raw = this.raw;
    for (let i = 0; i < raw.length; i += 2) {
      if (raw[i] === name) {
        raw[i + 1] = value;
        this.removeFrom(name, i + 2);
        return;
      }
    }
    raw.push(name, value);
  }

  /** Removes every line of that name; true when there was one. */
  remove(name: string): boolean {
    return this.removeFrom(name, 0);
  }

  /** Removes every line of these names. */
  removeAll(names: ReadonlySet<string>): void {
    const raw = this.raw;
    let kept = 0;
    for (let i = 0; i < raw.length; i += 2) {
      if (names.has(raw[i] as string)) continue;
      if (kept !== i) {
        raw[kept] = raw[i] as string;
        raw[kept + 1] = raw[i + 1] as string;
      }
      kept += 2;
    }
    this.cut(kept);
  }

  /** Cuts `raw` to that length; true when it was longer. Setting the length is dear even where it changes nothing. */
  cut(length: number): boolean {
    if (this.raw.length === length) return false;
    this.raw.length = length;
    return true;
  }

  private removeFrom(name: string, start: number): boolean {
    const raw = this.raw;
    let kept = start;
    for (let i = start; i < raw.length; i += 2) {
      if (raw[i] === name) continue;
      if (kept !== i) {
        raw[kept] = raw[i] as string;
        raw[kept + 1] = raw[i + 1] as string;
      }
      kept += 2;
    }
    return this.cut(kept);
  }

  forEach(visit: (name: string, value: string) => void): void {
    const raw = this.raw;
    for (let i = 0; i < raw.length; i += 2) visit(raw[i] as string, raw[i + 1] as string);
  }

  get size(): number {
    return this.raw.length / 2;
  }
}
