// Shapes of a YAML document: what may stand where. The contract decoder checks a file against them, and the published
// JSON Schema is made from them, so the two cannot say different things.
import type { Span, YamlNode } from '../config/yaml/tree.js';
import { ContractKeyMissing, ContractUnknownKey, ContractWrongValue } from '../diagnostics/catalogue.js';
import type { DiagnosticDetails, MessageType } from '../diagnostics/diagnostic.js';
import { closestWord } from '../diagnostics/suggestion.js';

/** One of these, with words for people. */
export type Shape =
  | { readonly kind: 'text'; readonly pattern?: string; readonly about?: string }
  | { readonly kind: 'number'; readonly min?: number; readonly max?: number; readonly integer?: boolean }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'words'; readonly words: readonly (string | number | boolean)[] }
  | { readonly kind: 'list'; readonly of: Shape; readonly min?: number }
  | { readonly kind: 'map'; readonly of: Shape; readonly min?: number }
  | ObjectShape
  /** The first that fits the node; `about` says what is expected when none does. */
  | { readonly kind: 'any'; readonly of: readonly Shape[]; readonly about: string }
  /** A shape under a name, so that shapes may contain themselves. */
  | { readonly kind: 'named'; readonly name: string; readonly shape: () => Shape };

export interface ObjectShape {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, FieldShape>>;
  /** Exactly one of the fields. */
  readonly single?: boolean;
}

export interface FieldShape {
  readonly shape: Shape;
  /** For the schema: one sentence. */
  readonly about: string;
  readonly required?: boolean;
}

/** How mistakes are said. */
export type ShapeReporter = (
  type: MessageType,
  span: Span,
  parameters: Readonly<Record<string, string | number>>,
  details?: DiagnosticDetails,
) => void;

/** Checks a node and everything below it; reports every mistake, at the smallest span. True = there was none. */
export function checkShape(node: YamlNode, shape: Shape, path: string, report: ShapeReporter): boolean {
  switch (shape.kind) {
    case 'named':
      return checkShape(node, shape.shape(), path, report);
    case 'any': {
      const fitting = shape.of.find((candidate) => fits(node, candidate));
      if (fitting !== undefined) return checkShape(node, fitting, path, report);
      report(ContractWrongValue, node, { path: path || 'the file', expected: shape.about, found: describe(node) });
      return false;
    }
    case 'list':
      return checkList(node, shape, path, report);
    case 'map':
    case 'object':
      return checkMap(node, shape, path, report);
    default: {
      const expected = expectedScalar(node, shape);
      if (expected === undefined) return true;
      report(ContractWrongValue, node, { path, expected, found: describe(node) });
      return false;
    }
  }
}

function checkList(
  node: YamlNode,
  shape: Extract<Shape, { kind: 'list' }>,
  path: string,
  report: ShapeReporter,
): boolean {
  const found = describe(node);
  if (node.kind !== 'list' || node.items.length < (shape.min ?? 0)) {
    report(ContractWrongValue, node, {
      path,
      expected: shape.min === undefined ? 'a list' : 'a list with items',
      found,
    });
    return false;
  }
  let good = true;
  for (const [index, item] of node.items.entries()) {
    good = checkShape(item, shape.of, `${path}[${index}]`, report) && good;
  }
  return good;
}

function checkMap(
  node: YamlNode,
  shape: Extract<Shape, { kind: 'map' | 'object' }>,
  path: string,
  report: ShapeReporter,
): boolean {
  const min = shape.kind === 'map' ? (shape.min ?? 0) : 0;
  if (node.kind !== 'map' || node.entries.length < min) {
    const expected = min === 0 ? 'a map' : 'a map with entries';
    report(ContractWrongValue, node, { path: path || 'the file', expected, found: describe(node) });
    return false;
  }
  let good = true;
  const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
  if (shape.kind === 'map') {
    for (const { key, value } of node.entries) good = checkShape(value, shape.of, at(key), report) && good;
    return good;
  }
  for (const { key, keySpan, value } of node.entries) {
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    if (field === undefined) {
      good = false;
      const meant = closestWord(key, Object.keys(shape.fields));
      const help =
        meant === undefined ? `known here: ${Object.keys(shape.fields).join(', ')}` : `did you mean \`${meant}\`?`;
      report(ContractUnknownKey, keySpan, { path: at(key), key }, { help });
    } else good = checkShape(value, field.shape, at(key), report) && good;
  }
  for (const [key, field] of Object.entries(shape.fields)) {
    if (field.required !== true || node.entries.some((entry) => entry.key === key)) continue;
    good = false;
    report(ContractKeyMissing, node, { path: at(key), key }, { help: field.about });
  }
  return good;
}

/** True when a node is of the kind that a shape is about, whatever else is wrong with it. */
function fits(node: YamlNode, shape: Shape): boolean {
  switch (shape.kind) {
    case 'named':
      return fits(node, shape.shape());
    case 'any':
      return shape.of.some((candidate) => fits(node, candidate));
    case 'list':
      return node.kind === 'list';
    case 'map':
      return node.kind === 'map';
    case 'object': {
      if (node.kind !== 'map') return false;
      if (shape.single !== true) return true;
      const key = node.entries[0]?.key;
      return node.entries.length === 1 && key !== undefined && Object.hasOwn(shape.fields, key);
    }
    default:
      return expectedScalar(node, shape) === undefined;
  }
}

/** What would be right, when the node is not. */
function expectedScalar(
  node: YamlNode,
  shape: Extract<Shape, { kind: 'text' | 'number' | 'boolean' | 'words' }>,
): string | undefined {
  const value = node.kind === 'scalar' ? node.value : undefined;
  switch (shape.kind) {
    case 'text': {
      const isText =
        typeof value === 'string' && (shape.pattern === undefined || new RegExp(shape.pattern).test(value));
      return isText ? undefined : (shape.about ?? 'text');
    }
    case 'number': {
      const isNumber = typeof value === 'number' && !(shape.integer === true && !Number.isInteger(value));
      if (isNumber && value >= (shape.min ?? -Infinity) && value <= (shape.max ?? Infinity)) return undefined;
      const range =
        shape.min !== undefined && shape.max !== undefined
          ? ` from ${shape.min} to ${shape.max}`
          : shape.min === undefined
            ? ''
            : ` from ${shape.min}`;
      return `a number${range}`;
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'words':
      return shape.words.some((word) => word === value) ? undefined : `one of ${shape.words.join(', ')}`;
  }
}

function describe(node: YamlNode): string {
  if (node.kind === 'map') return node.entries.length === 0 ? 'an empty map' : 'a map';
  if (node.kind === 'list') return node.items.length === 0 ? 'an empty list' : 'a list';
  if (node.value === null) return 'nothing';
  return typeof node.value === 'string' ? `"${node.value.slice(0, 60)}"` : String(node.word ?? node.value);
}

/** The same as JSON Schema (draft 7). */
export function toJsonSchema(shape: Shape, title: string): Readonly<Record<string, unknown>> {
  const definitions: Record<string, unknown> = {};
  const body = schemaOf(shape, definitions);
  return { $schema: 'http://json-schema.org/draft-07/schema#', title, ...body, definitions };
}

function schemaOf(shape: Shape, definitions: Record<string, unknown>): Record<string, unknown> {
  switch (shape.kind) {
    case 'text':
      return { type: 'string', ...(shape.pattern === undefined ? {} : { pattern: shape.pattern }) };
    case 'number':
      return {
        type: shape.integer === true ? 'integer' : 'number',
        ...(shape.min === undefined ? {} : { minimum: shape.min }),
        ...(shape.max === undefined ? {} : { maximum: shape.max }),
      };
    case 'boolean':
      return { type: 'boolean' };
    case 'words':
      return { enum: shape.words };
    case 'list':
      return {
        type: 'array',
        items: schemaOf(shape.of, definitions),
        ...(shape.min === undefined ? {} : { minItems: shape.min }),
      };
    case 'map':
      return {
        type: 'object',
        additionalProperties: schemaOf(shape.of, definitions),
        ...(shape.min === undefined ? {} : { minProperties: shape.min }),
      };
    case 'object': {
      const properties: Record<string, unknown> = {};
      const required: string[] = [];
      for (const [name, field] of Object.entries(shape.fields)) {
        const inner = schemaOf(field.shape, definitions);
        // Beside a reference draft 7 ignores everything else.
        properties[name] =
          '$ref' in inner ? { allOf: [inner], description: field.about } : { ...inner, description: field.about };
        if (field.required === true) required.push(name);
      }
      return {
        type: 'object',
        properties,
        additionalProperties: false,
        ...(required.length === 0 ? {} : { required }),
        ...(shape.single === true ? { minProperties: 1, maxProperties: 1 } : {}),
      };
    }
    case 'any':
      return { anyOf: shape.of.map((candidate) => schemaOf(candidate, definitions)) };
    case 'named': {
      if (!Object.hasOwn(definitions, shape.name)) {
        definitions[shape.name] = {};
        definitions[shape.name] = schemaOf(shape.shape(), definitions);
      }
      return { $ref: `#/definitions/${shape.name}` };
    }
  }
}
