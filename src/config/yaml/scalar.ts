// What an unquoted word means to Kubernetes: the rules of go-yaml 2, which sigs.k8s.io/yaml uses. Spec validation.md
// §8.2. YAML 1.1 booleans, Go's integers, no base-60 numbers and no dates.

type Value = string | number | boolean | null;

const WORDS: ReadonlyMap<string, Value> = new Map<string, Value>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word): [string, Value] => [word, null]),
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word): [string, Value] => [
    word,
    true,
  ]),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word): [string, Value] => [
    word,
    false,
  ]),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word): [string, Value] => [
    word,
    Number.POSITIVE_INFINITY,
  ]),
  ...['-.inf', '-.Inf', '-.INF'].map((word): [string, Value] => [word, Number.NEGATIVE_INFINITY]),
  ...['.nan', '.NaN', '.NAN'].map((word): [string, Value] => [word, Number.NaN]),
]);

const NUMBER_START = /^[-+.0-9]/;
const DECIMAL = /^[-+]?(0|[1-9][0-9]*)$/;
const BASED = /^([-+]?)0(?:([xX])([0-9a-fA-F]+)|([bB])([01]+)|[oO]?([0-7]+))$/;
const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;

/** The value of a plain (unquoted) scalar. */
export function resolvePlain(word: string): Value {
  const known = WORDS.get(word);
  if (known !== undefined) return known;
  return NUMBER_START.test(word) ? (resolveNumber(word) ?? word) : word;
}

/** `undefined` when the word is text. */
function resolveNumber(word: string): number | undefined {
  // Underscores may stand anywhere among the digits, but not in a word that begins with a point.
  const digits = word.startsWith('.') ? word : word.replaceAll('_', '');
  if (DECIMAL.test(digits)) return Number(digits) + 0;
  const based = BASED.exec(digits);
  if (based !== null) {
    const magnitude = based[3]
      ? parseInt(based[3], 16)
      : based[5]
        ? parseInt(based[5], 2)
        : parseInt(based[6] ?? '', 8);
    return based[1] === '-' ? -magnitude : magnitude;
  }
  return FLOAT.test(digits) ? Number(digits) : undefined;
}
