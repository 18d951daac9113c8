// Alterations of Istio YAML, one at a time: what a careless pull request might do. Enumerated from the documents, so that a
// rule that is added is altered too.
import { parseAllDocuments, stringify } from 'yaml';

/** One altered configuration. */
export interface Mutation {
  readonly operator: 'drop' | 'swap' | 'weight' | 'match' | 'tls mode' | 'port' | 'secret' | 'header name' | 'value';
  /** 'VirtualService/shop http[1].route[0].weight 90 -> 91'. */
  readonly what: string;
  /** The whole file. */
  readonly text: string;
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

const TLS_MODES = ['SIMPLE', 'MUTUAL', 'PASSTHROUGH', 'OPTIONAL_MUTUAL'];

/** Every alteration of the Istio objects of a file; Kubernetes' own objects are not the gateway's rules. */
export function mutationsOf(text: string): readonly Mutation[] {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Json);
  const found: Mutation[] = [];
  for (const [index, document] of documents.entries()) {
    if (!isRecord(document) || !String(document['apiVersion']).startsWith('networking.istio.io/')) continue;
    const name = `${String(document['kind'])}/${String((document['metadata'] as { name: string }).name)}`;
    const add = (operator: Mutation['operator'], path: Path, what: string, change: (copy: Json) => void): void => {
      const copy = structuredClone(document);
      change(copy);
      const altered = documents.map((other, position) => (position === index ? copy : other));
      const where = path
        .slice(1)
        .reduce<string>((shown, step) => (typeof step === 'number' ? `${shown}[${step}]` : `${shown}.${step}`), '');
      found.push({
        operator,
        what: `${name} ${where.slice(1)} ${what}`,
        text: altered.map((one) => stringify(one)).join('---\n'),
      });
    };
    visit(document['spec'] as Json, ['spec'], add);
  }
  return found;
}

type Add = (operator: Mutation['operator'], path: Path, what: string, change: (copy: Json) => void) => void;

function visit(node: Json, path: Path, add: Add): void {
  if (Array.isArray(node)) {
    for (const [index, item] of node.entries()) {
      add('drop', [...path, index], 'dropped', (copy) => {
        (at(copy, path) as Json[]).splice(index, 1);
      });
      if (index + 1 < node.length) swap(node, index, path, add);
      visit(item, [...path, index], add);
    }
    return;
  }
  if (!isRecord(node)) return;
  for (const [key, value] of Object.entries(node)) {
    scalar(key, value, [...path, key], add);
    visit(value, [...path, key], add);
  }
}

/** What two neighbours do trades places; what they match, or are called, stays. */
const ACTIONS = ['route', 'redirect', 'rewrite', 'weight', 'tls', 'labels'];

function swap(list: Json[], index: number, path: Path, add: Add): void {
  const [one, other] = [list[index], list[index + 1]];
  if (!isRecord(one) || !isRecord(other)) return;
  const keys = ACTIONS.filter((key) => JSON.stringify(one[key]) !== JSON.stringify(other[key]));
  if (keys.length === 0) return;
  add('swap', [...path, index], `trades ${keys.join(', ')} with the next`, (copy) => {
    const [first, second] = [at(copy, [...path, index]), at(copy, [...path, index + 1])];
    if (!isRecord(first) || !isRecord(second)) return;
    for (const key of keys) {
      const kept = first[key];
      put(first, key, second[key]);
      put(second, key, kept);
    }
  });
}

function scalar(key: string, value: Json, path: Path, add: Add): void {
  const parent = path.slice(0, -1);
  const set = (operator: Mutation['operator'], to: Json): void =>
    add(operator, path, `${JSON.stringify(value)} -> ${JSON.stringify(to)}`, (copy) =>
      put(at(copy, parent) as Record<string, Json>, key, to),
    );
  const rename = (operator: Mutation['operator'], from: string, to: string): void =>
    add(operator, [...parent, from], `-> ${to}`, (copy) => {
      const record = at(copy, parent) as Record<string, Json>;
      record[to] = record[from] as Json;
      delete record[from];
    });
  if (key === 'weight' && typeof value === 'number') {
    set('weight', value + 1);
    set('weight', value - 1);
  } else if (key === 'exact') rename('match', 'exact', 'prefix');
  else if (key === 'prefix') rename('match', 'prefix', 'exact');
  else if (key === 'mode') for (const mode of TLS_MODES) mode !== value && set('tls mode', mode);
  else if (key === 'number' && typeof value === 'number') set('port', value + 1);
  else if (key === 'port' && typeof value === 'number') set('port', value + 1);
  else if (key === 'credentialName') {
    set('secret', `${String(value)}-old`);
    set('secret', value === 'shop-tls' ? 'admin-tls' : 'shop-tls');
  } else if (key === 'headers' && isRecord(value)) {
    for (const name of Object.keys(value)) {
      // A match has header names here, a rule has request and response.
      if (name === 'request' || name === 'response') continue;
      headerNames(value, [...path], name, add);
    }
  } else if ((key === 'set' || key === 'add') && isRecord(value)) {
    for (const name of Object.keys(value)) headerNames(value, path, name, add);
  } else if (key === 'redirectCode' && typeof value === 'number') set('value', value === 302 ? 307 : 302);
  else if (key === 'minProtocolVersion') set('value', 'TLSV1_2');
  else if (key === 'uri' && typeof value === 'string') set('value', `${value}x`);
  else if (key === 'host' && typeof value === 'string') set('value', `x${value}`);
  else if (key === 'subset' && typeof value === 'string') set('value', value === 'v1' ? 'v2' : 'v1');
  if (isOptional(key)) {
    add('drop', path, 'dropped', (copy) => {
      delete (at(copy, parent) as Record<string, Json>)[key];
    });
  }
}

function headerNames(_headers: Record<string, Json>, path: Path, name: string, add: Add): void {
  add('header name', [...path, name], `-> ${name}x`, (copy) => {
    const record = at(copy, path) as Record<string, Json>;
    record[`${name}x`] = record[name] as Json;
    delete record[name];
  });
}

/** Parts that a rule can do without. */
function isOptional(key: string): boolean {
  return [
    'match',
    'rewrite',
    'headers',
    'httpsRedirect',
    'minProtocolVersion',
    'subset',
    'redirectCode',
    'uri',
  ].includes(key);
}

function at(root: Json, path: Path): Json {
  let node = root;
  for (const step of path) node = (node as Record<string | number, Json>)[step] as Json;
  return node;
}

function put(record: Record<string, Json>, key: string, value: Json | undefined): void {
  if (value === undefined) delete record[key];
  else record[key] = value;
}

function isRecord(value: Json | undefined): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
