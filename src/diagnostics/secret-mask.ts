// Keeps key material out of code frames. A frame quotes the user's file, which may be a Secret; what is printed ends up
// in terminals, logs and bug reports.

const SECRET = /(?:^|[\s{,["'])kind["']?\s*:\s*["']?Secret(?:List)?(?![A-Za-z])/;
// Kinds whose lines are shown as they are; a misspelt `Secrt` is none of them.
const OPEN =
  /^(?:Gateway|VirtualService|DestinationRule|ServiceEntry|WorkloadEntry|PeerAuthentication|Service|Pod|EndpointSlice|Endpoints|ConfigMap|Namespace)\//;
const SEPARATOR = /^---\s*(?:#.*)?$/;

/**
 * One line of a file, ready to be shown: every character of a value that may be secret is a `*`, so that columns stay.
 * `resource` is the object that the diagnostic is about; unknown where a document could not be read.
 */
export function maskSecrets(lines: readonly string[], index: number, resource: string | undefined): string {
  const line = lines[index] ?? '';
  if (line.length > LONGEST_PARSED) {
    const secret = resource === undefined || /^Secret(?:List)?\//.test(resource) || SECRET.test(line);
    return secret ? line.replace(/\S/g, '*') : maskWords(line);
  }
  if (resource !== undefined && /^Secret(?:List)?\//.test(resource)) return maskValues(line);
  if (!documentHoldsSecret(lines, index))
    return resource !== undefined && OPEN.test(resource) ? line : maskEncoded(line);
  // A List may hold a Secret beside the object in question, and minified JSON holds them on one line.
  return resource === undefined || SECRET.test(line) ? maskValues(line) : maskEncoded(line);
}

/** Patterns that look ahead run out of stack on lines of hundreds of kilobytes; nobody reads those. */
const LONGEST_PARSED = 20_000;

/** Every word of twelve characters and more. */
function maskWords(line: string): string {
  let masked = '';
  let start = 0;
  for (let at = 0; at <= line.length; at++) {
    const code = at < line.length ? line.charCodeAt(at) : 0x20;
    const inWord =
      (code >= 0x30 && code <= 0x39) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x61 && code <= 0x7a) ||
      code === 0x2b ||
      code === 0x2f;
    if (inWord) continue;
    const word = line.slice(start, at);
    masked += word.length >= 12 ? '*'.repeat(word.length) : word;
    if (at < line.length) masked += line[at];
    start = at + 1;
  }
  return masked;
}

/** The document that was asked about last, of each file: diagnostics come one after the other. */
const lastDocuments = new WeakMap<readonly string[], { start: number; end: number; secret: boolean }>();

/** Some object of the document that a line is in may be a Secret. */
function documentHoldsSecret(lines: readonly string[], index: number): boolean {
  const known = lastDocuments.get(lines);
  if (known !== undefined && index >= known.start && index < known.end) return known.secret;
  let start = index;
  while (start > 0 && !SEPARATOR.test(lines[start - 1] ?? '')) start--;
  let end = index + 1;
  while (end < lines.length && !SEPARATOR.test(lines[end] ?? '')) end++;
  let secret = false;
  for (let at = start; at < end && !secret; at++) secret = SECRET.test(lines[at] ?? '');
  lastDocuments.set(lines, { start, end, secret });
  return secret;
}

// A key can only stand at the beginning of a line or after a flow indicator; everything else that is not punctuation is
// a value.
const TOKEN =
  /((?:^|[{,[])\s*(?:- +)*(?:[\w./-]{1,64}|"[^"\\]{1,64}"|'[^']{1,64}'))(\s*:)(?=[\s{["']|$)|(\s+|[{}[\],|>])|([^\s{}[\],]+)/g;

function maskValues(line: string): string {
  return line.replace(TOKEN, (whole, key?: string, _colon?: string, punctuation?: string) => {
    if (punctuation !== undefined) return whole;
    return key !== undefined && hideEncoded(whole) === whole ? whole : whole.replace(/[^\s:]/g, '*');
  });
}

// Letters of both cases with digits among them, in a row too long for the name of anything in a Secret.
const ENCODED =
  /(?=[A-Za-z0-9+/]*[0-9+/])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[A-Z])[A-Za-z0-9+/]{12,}|[A-Za-z0-9+/]{24,}/g;

/** A name out of a Secret for a message: a key that slipped to where a name belongs is left out. */
export function hideEncoded(name: string): string {
  return name.replace(ENCODED, '…');
}

/**
 * Base64 of some length, what stands alone on a line and may be the end of it, and the armour lines of PEM: for text of
 * which nobody knows what it is.
 */
function maskEncoded(line: string): string {
  const hide = (text: string): string => text.replace(/\S/g, '*');
  return line.replace(ENCODED, hide).replace(/^\s*[A-Za-z0-9+/*]{8,}={0,2}\s*$|-----[A-Z ]+-----/g, hide);
}
