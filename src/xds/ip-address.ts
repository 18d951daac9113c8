// IP literals as text: recognised, parsed and printed as inet_pton and inet_ntop do. Needed where Envoy compares or
// prints addresses: PROXY protocol, x-forwarded-for, hashes.

/** Dotted quad without leading zeros or abbreviations. */
export function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(text);
}

/** IPv6 literal without brackets or scope, also with a dotted quad at its end. */
export function isIpv6(text: string): boolean {
  return parseIpv6(text) !== undefined;
}

/** The printed form of an IP literal (RFC 5952 for IPv6); `undefined` when the text is none. */
export function canonicalAddress(text: string): string | undefined {
  if (isIpv4(text)) return text;
  const groups = parseIpv6(text);
  return groups === undefined ? undefined : renderIpv6(groups);
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (address.startsWith('127.') && isIpv4(address));
}

/** `ip:port`, with brackets around IPv6. */
export function renderSocketAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Eight groups of sixteen bits; the longest run of two or more zero groups becomes `::`. */
export function renderIpv6(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (bestStart === -1) return text(groups);
  return `${text(groups.slice(0, bestStart))}::${text(groups.slice(bestStart + bestLength))}`;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (tail !== null) {
    if (!isIpv4(tail[2] as string)) return undefined;
    const bytes = (tail[2] as string).split('.').map(Number) as [number, number, number, number];
    const [a, b, c, d] = bytes;
    return parseIpv6(`${tail[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, rest] = halves.map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[] | undefined];
  const missing = 8 - head.length - (rest?.length ?? 0);
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: rest === undefined ? 0 : missing }, () => '0'), ...(rest ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}
