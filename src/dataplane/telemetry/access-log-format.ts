// Access log formats compiled to writers (spec dataplane.md §7.2–7.4, style P9).
import { type AccessLogSettings, DEFAULT_JSON_FORMAT, DEFAULT_TEXT_FORMAT } from '../../xds/index.js';
import { compileOperator, type LogWriter } from './access-log-operators.js';
import type { StreamInfo } from './stream-info.js';

/** Renders one line, newline included. */
export type LineWriter = (info: StreamInfo) => string;

/** `refused` is Envoy's text: it would not accept a listener with that format. */
export type CompiledFormat =
  | { readonly kind: 'line'; readonly write: LineWriter }
  | { readonly kind: 'refused'; readonly reason: string };

/** Istio's default format of the encoding where none is given. */
export function compileAccessLog({ encoding, format }: AccessLogSettings): CompiledFormat {
  if (encoding === 'JSON')
    return compileJsonFormat(format === undefined || format === '' ? DEFAULT_JSON_FORMAT : format);
  return compileTextFormat(format === undefined || format === '' ? DEFAULT_TEXT_FORMAT : format);
}

/** A newline is appended if the format does not end with one. */
export function compileTextFormat(format: string): CompiledFormat {
  const parts = compileParts(format.endsWith('\n') ? format : `${format}\n`);
  if ('refused' in parts) return { kind: 'refused', reason: parts.refused };
  return { kind: 'line', write: (info) => renderText(parts.parts, info) };
}

/** `format` is a JSON object whose leaves are formats, or its text. */
export function compileJsonFormat(format: string | Readonly<Record<string, unknown>>): CompiledFormat {
  let object: unknown = format;
  if (typeof format === 'string') {
    try {
      object = JSON.parse(format);
    } catch {
      return { kind: 'refused', reason: 'accessLogFormat is not a JSON object' };
    }
  }
  const value = compileValue(object);
  if (typeof value !== 'function') return { kind: 'refused', reason: value.refused };
  return { kind: 'line', write: (info) => `${value(info)}\n` };
}

type Part = string | LogWriter;

function compileParts(format: string): { readonly parts: readonly Part[] } | { readonly refused: string } {
  const parts: Part[] = [];
  const pattern = /%(?:%|([A-Z0-9_]+(?:\((?:[^()]|\([^()]*\))*\))?(?::\d+)?)%)/gs;
  let at = 0;
  for (let match = pattern.exec(format); match !== null; match = pattern.exec(format)) {
    if (match.index > at) parts.push(format.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[1] === undefined) {
      parts.push('%');
      continue;
    }
    const operator = compileOperator(match[1]);
    if (typeof operator !== 'function') return operator;
    parts.push(operator);
  }
  const rest = format.slice(at);
  if (rest.includes('%'))
    return {
      refused: `Incorrect configuration: ${format.trimEnd()}. Couldn't find valid command at position ${at + rest.indexOf('%')}`,
    };
  if (rest !== '') parts.push(rest);
  return { parts };
}

function renderText(parts: readonly Part[], info: StreamInfo): string {
  let line = '';
  for (const part of parts) line += typeof part === 'string' ? part : (part(info) ?? '-');
  return line;
}

type JsonWriter = (info: StreamInfo) => string;

function compileValue(value: unknown): JsonWriter | { readonly refused: string } {
  if (typeof value === 'string') return compileString(value);
  if (Array.isArray(value)) return compileList(value);
  if (typeof value === 'object' && value !== null) return compileObject(value);
  const fixed = JSON.stringify(value ?? null);
  return () => fixed;
}

// One operator alone keeps its type, and absence is null; mixed with text everything is a string.
function compileString(format: string): JsonWriter | { readonly refused: string } {
  const compiled = compileParts(format);
  if ('refused' in compiled) return compiled;
  const { parts } = compiled;
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'function') return (info) => JSON.stringify(only(info) ?? null);
  return (info) => JSON.stringify(renderText(parts, info));
}

function compileList(values: readonly unknown[]): JsonWriter | { readonly refused: string } {
  const writers: JsonWriter[] = [];
  for (const value of values) {
    const writer = compileValue(value);
    if (typeof writer !== 'function') return writer;
    writers.push(writer);
  }
  return (info) => `[${writers.map((write) => write(info)).join(',')}]`;
}

// Envoy sorts keys.
function compileObject(value: object): JsonWriter | { readonly refused: string } {
  const entries: (readonly [prefix: string, write: JsonWriter])[] = [];
  for (const [key, member] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const writer = compileValue(member);
    if (typeof writer !== 'function') return writer;
    entries.push([`${JSON.stringify(key)}:`, writer]);
  }
  return (info) => {
    let line = '{';
    for (const [prefix, write] of entries) line += `${line.length === 1 ? '' : ','}${prefix}${write(info)}`;
    return `${line}}`;
  };
}
