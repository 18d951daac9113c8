// The Huffman code of header strings (RFC 7541 §5.2, appendix B). The code is canonical: lengths alone give the codes.

/** Length of each symbol's code, 0-255 and the end of string; 'a' stands for 5 bits. */
const LENGTHS =
  'isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkabababbbaccbbbabcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsruvvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwvz';
const EOS = 256;

/** Bits of each symbol's code. */
const codeLengths = new Uint8Array(EOS + 1);
/** Each symbol's code, right-aligned; at most 30 bits. */
const codes = new Uint32Array(EOS + 1);

/**
 * Decoding by half bytes: `(state * 16 + bits)` → next state in the low 9 bits, a symbol in the next 8, and whether one is
 * finished. A state is an inner node of the code's tree.
 */
let transitions: Int32Array = new Int32Array(0);
/** 1 for the states in which a string may end: nothing but up to seven ones behind the last symbol. */
let endings: Uint8Array = new Uint8Array(0);
const EMITS = 1 << 17;
const FAILS = -1;

build();

function build(): void {
  const order: number[] = [];
  for (let symbol = 0; symbol <= EOS; symbol++) {
    // The end of string comes behind the 256 letters of the table above.
    codeLengths[symbol] = symbol === EOS ? 30 : LENGTHS.charCodeAt(symbol) - 97 + 5;
    order.push(symbol);
  }
  order.sort((a, b) => (codeLengths[a] as number) - (codeLengths[b] as number) || a - b);
  // left, right: a node's index, or -(symbol + 1) of a leaf; 0 = nothing yet (the root is nobody's child).
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  let length = codeLengths[order[0] as number] as number;
  for (const symbol of order) {
    const bits = codeLengths[symbol] as number;
    code *= 2 ** (bits - length);
    length = bits;
    codes[symbol] = code;
    let node = 0;
    for (let at = bits - 1; at > 0; at--) {
      const side = (code >>> at) & 1;
      const pair = children[node] as [number, number];
      if (pair[side] === 0) {
        children.push([0, 0]);
        pair[side] = children.length - 1;
      }
      node = pair[side] as number;
    }
    (children[node] as [number, number])[code & 1] = -(symbol + 1);
    code++;
  }
  transitions = new Int32Array(children.length * 16);
  endings = new Uint8Array(children.length);
  for (let ones = 0, node = 0; ones < 8 && node >= 0; ones++) {
    endings[node] = 1;
    node = (children[node] as [number, number])[1];
  }
  for (let state = 0; state < children.length; state++) {
    for (let bits = 0; bits < 16; bits++) transitions[state * 16 + bits] = step(children, state, bits);
  }
}

function step(children: readonly [number, number][], state: number, bits: number): number {
  let node = state;
  let emitted = -1;
  for (let at = 3; at >= 0; at--) {
    const next = (children[node] as [number, number])[(bits >>> at) & 1] as number;
    if (next >= 0) {
      node = next;
      continue;
    }
    const symbol = -next - 1;
    if (symbol === EOS) return FAILS;
    emitted = symbol;
    node = 0;
  }
  return emitted === -1 ? node : node | (emitted << 9) | EMITS;
}

/** Decoded strings are put together here; grows with the longest one. */
let scratch: Buffer = Buffer.allocUnsafeSlow(1024);

/** The string between two places, or undefined when it is no legal code (RFC 7541 §5.2). */
export function decodeHuffman(bytes: Uint8Array, from: number, to: number): string | undefined {
  // No code is shorter than five bits.
  const most = Math.ceil(((to - from) * 8) / 5);
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most * 2);
  const out = scratch;
  const table = transitions;
  let length = 0;
  let state = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] as number;
    let next = table[(state << 4) | (byte >>> 4)] as number;
    if (next < 0) return undefined;
    if (next & EMITS) out[length++] = (next >>> 9) & 0xff;
    next = table[((next & 0x1ff) << 4) | (byte & 15)] as number;
    if (next < 0) return undefined;
    if (next & EMITS) out[length++] = (next >>> 9) & 0xff;
    state = next & 0x1ff;
  }
  return endings[state] === 1 ? out.toString('latin1', 0, length) : undefined;
}

/** Bytes that the code of a latin1 string takes. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += codeLengths[text.charCodeAt(i) & 0xff] as number;
  return (bits + 7) >>> 3;
}

/** Writes the code of a latin1 string; returns the place behind it. */
export function encodeHuffman(text: string, out: Uint8Array, at: number): number {
  let place = at;
  // Fewer than eight bits wait between two symbols, and one brings up to 28 more: 35 bits do not fit the 32 of a shift.
  let pending = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    const code = codes[symbol] as number;
    let left = codeLengths[symbol] as number;
    if (left > 24) {
      left -= 8;
      pending = (pending << 8) | (code >>> left);
      out[place++] = (pending >>> count) & 0xff;
    }
    pending = (pending << left) | (code & ((1 << left) - 1));
    count += left;
    while (count >= 8) {
      count -= 8;
      out[place++] = (pending >>> count) & 0xff;
    }
  }
  // Padded with ones, the beginning of the end of string.
  if (count > 0) out[place++] = ((pending << (8 - count)) | (0xff >>> count)) & 0xff;
  return place;
}
