// xxHash64, with which Envoy places hosts on its ring and in its Maglev table and hashes the keys of hash policies. Spec
// destinations.md §8.3–8.5. Algorithm: github.com/Cyan4973/xxHash, doc/xxhash_spec.md.
//
// 64-bit numbers are pairs of 32-bit halves in module variables: with BigInt a ring of 1024 entries took 20-40 ms, which
// the first request of a cluster would have waited for; this way it takes 1-2 ms.

/** The register that every step works on. */
let high = 0;
let low = 0;

const PRIME1_HIGH = 0x9e3779b1;
const PRIME1_LOW = 0x85ebca87;
const PRIME2_HIGH = 0xc2b2ae3d;
const PRIME2_LOW = 0x27d4eb4f;
const PRIME3_HIGH = 0x165667b1;
const PRIME3_LOW = 0x9e3779f9;
const PRIME4_HIGH = 0x85ebca77;
const PRIME4_LOW = 0xc2b2ae63;
const PRIME5_HIGH = 0x27d4eb2f;
const PRIME5_LOW = 0x165667c5;

/** The four accumulators of long inputs: high and low half of each. */
const lanes = new Int32Array(8);

/**
 * Hash of the bytes of `text`, an unsigned 64-bit number. A string is read as latin1 (one byte per character), the form
 * in which header values arrive.
 *
 *     xxHash64('10.0.0.7:8080_0');
 */
export function xxHash64(text: string | Uint8Array, seed = 0n): bigint {
  hash(text, Number(seed >> 32n), Number(seed & 0xffffffffn));
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

/**
 * How several hash policies of one route become one hash: `undefined` parts (a key that the request lacks) are left
 * out; with none left there is no hash and any host will do.
 */
export function combineHashes(hashes: readonly (bigint | undefined)[]): bigint | undefined {
  let combined: bigint | undefined;
  for (const next of hashes) {
    if (next === undefined) continue;
    combined = combined === undefined ? next : (((combined << 1n) & 0xffffffffffffffffn) | (combined >> 63n)) ^ next;
  }
  return combined;
}

function hash(text: string | Uint8Array, seedHigh: number, seedLow: number): void {
  const bytes = typeof text === 'string' ? latin1(text) : text;
  const { length } = bytes;
  let at = 0;
  if (length >= 32) at = hashBlocks(bytes, seedHigh, seedLow);
  else {
    high = seedHigh;
    low = seedLow;
    add(PRIME5_HIGH, PRIME5_LOW);
  }
  add(0, length);
  for (; at + 8 <= length; at += 8) mixIn(half(bytes, at + 4), half(bytes, at));
  if (at + 4 <= length) {
    mixWord(half(bytes, at));
    at += 4;
  }
  for (; at < length; at++) mixByte(bytes[at] ?? 0);
  low ^= high >>> 1; // hash ^= hash >> 33
  multiply(PRIME2_HIGH, PRIME2_LOW);
  shiftXor29();
  multiply(PRIME3_HIGH, PRIME3_LOW);
  low ^= high; // hash ^= hash >> 32
}

/** Whole blocks of 32 bytes; leaves the merged lanes in the register and returns how far it came. */
function hashBlocks(bytes: Uint8Array, seedHigh: number, seedLow: number): number {
  setLane(0, seedHigh, seedLow, PRIME1_HIGH, PRIME1_LOW);
  add(PRIME2_HIGH, PRIME2_LOW);
  saveLane(0);
  setLane(1, seedHigh, seedLow, PRIME2_HIGH, PRIME2_LOW);
  setLane(2, seedHigh, seedLow, 0, 0);
  // The seed minus PRIME1, as the two's complement of PRIME1.
  setLane(3, seedHigh, seedLow, ~PRIME1_HIGH, -PRIME1_LOW);
  let at = 0;
  for (; at + 32 <= bytes.length; at += 32) {
    for (let lane = 0; lane < 4; lane++) {
      loadLane(lane);
      round(half(bytes, at + 8 * lane + 4), half(bytes, at + 8 * lane));
      saveLane(lane);
    }
  }
  mergeLanes();
  return at;
}

const LANE_ROTATIONS = [1, 7, 12, 18] as const;

function mergeLanes(): void {
  let sumHigh = 0;
  let sumLow = 0;
  for (const [lane, bits] of LANE_ROTATIONS.entries()) {
    loadLane(lane);
    rotate(bits);
    add(sumHigh, sumLow);
    sumHigh = high;
    sumLow = low;
  }
  for (let lane = 0; lane < 4; lane++) {
    const before = [high, low] as const;
    high = 0;
    low = 0;
    round(lanes[2 * lane] ?? 0, lanes[2 * lane + 1] ?? 0);
    high ^= before[0];
    low ^= before[1];
    multiply(PRIME1_HIGH, PRIME1_LOW);
    add(PRIME4_HIGH, PRIME4_LOW);
  }
}

function setLane(lane: number, seedHigh: number, seedLow: number, addHigh: number, addLow: number): void {
  high = seedHigh;
  low = seedLow;
  add(addHigh, addLow);
  saveLane(lane);
}

function loadLane(lane: number): void {
  high = lanes[2 * lane] ?? 0;
  low = lanes[2 * lane + 1] ?? 0;
}

function saveLane(lane: number): void {
  lanes[2 * lane] = high;
  lanes[2 * lane + 1] = low;
}

/** Accumulator in the register, one input of 8 bytes. */
function round(inputHigh: number, inputLow: number): void {
  const accumulatorHigh = high;
  const accumulatorLow = low;
  high = inputHigh;
  low = inputLow;
  multiply(PRIME2_HIGH, PRIME2_LOW);
  add(accumulatorHigh, accumulatorLow);
  rotate(31);
  multiply(PRIME1_HIGH, PRIME1_LOW);
}

function mixIn(inputHigh: number, inputLow: number): void {
  const beforeHigh = high;
  const beforeLow = low;
  high = 0;
  low = 0;
  round(inputHigh, inputLow);
  high ^= beforeHigh;
  low ^= beforeLow;
  rotate(27);
  multiply(PRIME1_HIGH, PRIME1_LOW);
  add(PRIME4_HIGH, PRIME4_LOW);
}

function mixWord(word: number): void {
  const beforeHigh = high;
  const beforeLow = low;
  high = 0;
  low = word;
  multiply(PRIME1_HIGH, PRIME1_LOW);
  high ^= beforeHigh;
  low ^= beforeLow;
  rotate(23);
  multiply(PRIME2_HIGH, PRIME2_LOW);
  add(PRIME3_HIGH, PRIME3_LOW);
}

function mixByte(byte: number): void {
  const beforeHigh = high;
  const beforeLow = low;
  high = 0;
  low = byte;
  multiply(PRIME5_HIGH, PRIME5_LOW);
  high ^= beforeHigh;
  low ^= beforeLow;
  rotate(11);
  multiply(PRIME1_HIGH, PRIME1_LOW);
}

/** hash ^= hash >> 29 */
function shiftXor29(): void {
  low ^= (low >>> 29) | (high << 3);
  high ^= high >>> 29;
}

function add(otherHigh: number, otherLow: number): void {
  const sum = (low >>> 0) + (otherLow >>> 0);
  high = (high + otherHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** Product modulo 2^64: the low halves in pieces of 16 bits, whose products a double holds exactly. */
function multiply(otherHigh: number, otherLow: number): void {
  const a = low >>> 16;
  const b = low & 0xffff;
  const c = otherLow >>> 16;
  const d = otherLow & 0xffff;
  const bottom = b * d;
  const middle = a * d + (bottom >>> 16);
  const rest = b * c + (middle & 0xffff);
  const carried = a * c + Math.floor(middle / 65536) + Math.floor(rest / 65536);
  high = (carried + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) | 0;
  low = (rest << 16) | (bottom & 0xffff);
}

/** To the left, by 1 to 31 bits. */
function rotate(bits: number): void {
  const turned = (high << bits) | (low >>> (32 - bits));
  low = (low << bits) | (high >>> (32 - bits));
  high = turned;
}

function half(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
