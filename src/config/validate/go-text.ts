// Texts as Go's fmt prints them.

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

// What Go calls unprintable: controls, formats, private use, unassigned, and every blank but the ordinary one.
const UNPRINTABLE = /["\\]|(?! )[\p{C}\p{Z}]/gu;

/** `%q`: in double quotes, with what does not print escaped. */
export function goQuote(text: string): string {
  const escaped = text.replace(UNPRINTABLE, (character) => {
    const known = ESCAPES[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    if (code >= 0xd800 && code <= 0xdfff) return '\ufffd';
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped}"`;
}

/** `%v` of a list of texts. */
export function goList(texts: readonly string[]): string {
  return `[${texts.join(' ')}]`;
}

/** `%v` of a double: the shortest form, with an exponent below 1e-4 and from 1e6 on. */
export function goDouble(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
  }
  return String(value);
}

/** `strconv.Atoi` accepts it: decimal digits with a sign, within 64 bits. */
export function isGoInteger(text: string): boolean {
  if (!/^[-+]?\d+$/.test(text)) return false;
  const value = BigInt(text.replace(/^\+/, ''));
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

const encoder = new TextEncoder();

/** `len` of a Go string: bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}
