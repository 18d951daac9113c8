// The tables of header compression (RFC 7541 §2.3, appendix A). Entries carry what has been found out about them, so a
// header that comes with every request is judged once per connection.

/** What is added to the length of name and value (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;

/** One header line. */
export class HeaderField {
  readonly name: string;
  readonly value: string;
  /** Verdict of header-rules.ts, filled in when first asked for; 0 = not asked yet. */
  rule = 0;

  constructor(name: string, value: string) {
    this.name = name;
    this.value = value;
  }

  get size(): number {
    return this.name.length + this.value.length + ENTRY_OVERHEAD;
  }
}

const STATIC = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** Names and values of the static table; index 1 stands at place 0. */
export const STATIC_PAIRS: readonly (readonly [name: string, value: string])[] = STATIC.split('\n').map((line) => {
  const blank = line.indexOf(' ');
  return blank === -1 ? [line, ''] : [line.slice(0, blank), line.slice(blank + 1)];
});

export const STATIC_LENGTH: number = STATIC_PAIRS.length;

/** The dynamic table of a decoder (RFC 7541 §2.3.2): the newest entry has index 0. */
export class DynamicTable {
  private entries: HeaderField[] = [];
  /** Entries before this place are evicted; the array is cut now and then. */
  private first = 0;
  private size = 0;
  private maxSize: number;

  constructor(maxSize: number) {
    this.maxSize = maxSize;
  }

  get length(): number {
    return this.entries.length - this.first;
  }

  get bytes(): number {
    return this.size;
  }

  get(index: number): HeaderField | undefined {
    const place = this.entries.length - 1 - index;
    return place < this.first ? undefined : this.entries[place];
  }

  add(field: HeaderField): void {
    const { size } = field;
    this.evictTo(this.maxSize - size);
    // An entry larger than the table empties it, and is no error (RFC 7541 §4.4).
    if (size > this.maxSize) return;
    this.entries.push(field);
    this.size += size;
  }

  resize(maxSize: number): void {
    this.maxSize = maxSize;
    this.evictTo(maxSize);
  }

  private evictTo(limit: number): void {
    while (this.size > limit && this.first < this.entries.length) {
      this.size -= (this.entries[this.first] as HeaderField).size;
      this.first++;
    }
    if (this.first > 64) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
  }
}
