// The tokenizer that requests, responses and trailers share: where a block of lines ends, and names and values of its
// lines (spec dataplane.md §3.3, §5.3). Text is latin1, one character per byte.
//
// Lines end with LF; a CR before it belongs to the line end. A line that begins with a blank continues the one before:
// the break goes, the blanks stay. A CR or LF left inside a value is dropped. All of it as Envoy's parser does.

const LF = 10;
const CR = 13;

/** Valid names in lower case by their spelling; what clients send repeats. Bounded, so that nobody can fill it. */
const knownNames = new Map<string, string>();
const MAX_KNOWN = 1024;
const MAX_KNOWN_LENGTH = 48;

/** No header block may have one of these: Envoy looks for them before it reads a line. */
const FORBIDDEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** True when a block has a control character other than tab, CR and LF. */
export function hasForbiddenCharacter(text: string): boolean {
  return FORBIDDEN.test(text);
}

/** Hears of each line: the name in lower case, the value trimmed, and the value as it stands between colon and line end, trimmed. */
export type OnHeaderLine = (name: string, value: string, raw: string) => void;

/**
 * Reads the lines of a block from `start` to its empty line. False when one of them is none: no colon, or a name that
 * is no token.
 */
export function readHeaderLines(text: string, start: number, onLine: OnHeaderLine): boolean {
  let at = start;
  for (;;) {
    let lf = text.indexOf('\n', at);
    if (lf === -1) return true;
    if (lf === at || (lf === at + 1 && text.charCodeAt(at) === CR)) return true;
    const colon = text.indexOf(':', at);
    if (colon === -1) return false;
    const name = knownNames.get(text.slice(at, colon)) ?? learnName(text.slice(at, colon));
    if (name === undefined) return false;
    // The colon may have been found lines below, but then what stood before it is no name.
    while (isBlank(text.charCodeAt(lf + 1))) {
      const next = text.indexOf('\n', lf + 1);
      if (next === -1) break;
      lf = next;
    }
    let from = colon + 1;
    let to = lf;
    while (from < to && text.charCodeAt(from) <= 32) from++;
    while (to > from && text.charCodeAt(to - 1) <= 32) to--;
    const raw = text.slice(from, to);
    onLine(name, isOneLine(raw) ? raw : raw.replace(/[\r\n]/g, ''), raw);
    at = lf + 1;
  }
}

/** One value of several lines of a header; empty ones add nothing. */
export function joinLines(before: string | undefined, value: string): string {
  if (before === undefined || before === '') return value;
  return value === '' ? before : `${before},${value}`;
}

function isOneLine(value: string): boolean {
  return !value.includes('\r') && !value.includes('\n');
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function learnName(spelling: string): string | undefined {
  if (!TOKEN.test(spelling)) return undefined;
  const name = spelling.toLowerCase();
  if (knownNames.size < MAX_KNOWN && spelling.length <= MAX_KNOWN_LENGTH) {
    // Copies: a slice would keep the whole head alive.
    knownNames.set(copyOf(spelling), copyOf(name));
  }
  return name;
}

function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/**
 * Finds the end of a block of lines that arrives in pieces; every byte is looked at once.
 *
 *     scanner.start(at);
 *     const end = scanner.scan(buffer); // position behind the empty line, or -1: again with more of the same buffer
 */
export class BlockScanner {
  /** Position behind the first line; -1 until it is there. */
  firstLineEnd = -1;
  private lineStart = 0;
  private scanned = 0;

  /** A block begins at this position of the buffer. */
  start(at: number): void {
    this.firstLineEnd = -1;
    this.lineStart = at;
    this.scanned = at;
  }

  /** The buffer has lost that many bytes at its front. */
  shift(bytes: number): void {
    this.lineStart -= bytes;
    this.scanned -= bytes;
    if (this.firstLineEnd !== -1) this.firstLineEnd -= bytes;
  }

  scan(buffer: Buffer): number {
    const { length } = buffer;
    let { lineStart } = this;
    for (let at = this.scanned; at < length; at++) {
      if (buffer[at] !== LF) continue;
      if (at === lineStart || (at === lineStart + 1 && buffer[lineStart] === CR)) {
        this.scanned = at + 1;
        this.lineStart = at + 1;
        return at + 1;
      }
      lineStart = at + 1;
      if (this.firstLineEnd === -1) this.firstLineEnd = lineStart;
    }
    this.scanned = length;
    this.lineStart = lineStart;
    return -1;
  }
}

/** Three words of a first line, split at runs of blanks and control characters; the third takes what is left. */
export function splitFirstLine(line: string): readonly [string, string, string] {
  let end = line.length;
  while (end > 0 && isGap(line.charCodeAt(end - 1))) end--;
  const first = wordEnd(line, 0, end);
  const secondStart = gapEnd(line, first, end);
  const second = wordEnd(line, secondStart, end);
  const third = gapEnd(line, second, end);
  return [line.slice(0, first), line.slice(secondStart, second), line.slice(third, end)];
}

function wordEnd(line: string, from: number, end: number): number {
  let at = from;
  while (at < end && !isGap(line.charCodeAt(at))) at++;
  return at;
}

function gapEnd(line: string, from: number, end: number): number {
  let at = from;
  while (at < end && isGap(line.charCodeAt(at))) at++;
  return at;
}

function isGap(code: number): boolean {
  return code <= 32;
}
