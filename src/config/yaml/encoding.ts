// Bytes to text as Kubernetes' loader takes them: UTF-8, or UTF-16 where a byte order mark says so (what PowerShell
// redirects is). An octet that is no UTF-8 must not turn into a character that nobody wrote, so it stays recognisable.

/** Where octets that are no UTF-8 stand in a text: U+DC80 to U+DCFF, which no encoding can bring forth. */
const ESCAPED_OCTETS = 0xdc00;

/** Text of a file. The first octet that is no UTF-8 becomes a lone surrogate (`octetAt`), further ones U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  for (let at = text.indexOf('\uFFFD'), read = 0, from = 0; at !== -1; at = text.indexOf('\uFFFD', from)) {
    read += Buffer.byteLength(text.slice(from, at));
    const octet = bytes[read] ?? 0;
    if (octet !== 0xef || bytes[read + 1] !== 0xbf || bytes[read + 2] !== 0xbd)
      return text.slice(0, at) + String.fromCharCode(ESCAPED_OCTETS + octet) + text.slice(at + 1);
    read += 3;
    from = at + 1;
  }
  return text;
}

/** The octet that a lone surrogate of `decodeText` stands for. */
export function octetAt(text: string, at: number): number {
  return text.charCodeAt(at) - ESCAPED_OCTETS;
}
