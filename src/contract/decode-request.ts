// `request` of a contract to steps: every list multiplies (spec interface.md §4).
import type { YamlNode } from '../config/yaml/tree.js';
import { ContractRequest } from '../diagnostics/catalogue.js';
import type { TlsVersion } from '../gateway/client/client-connection.js';
import { planFetch } from '../gateway/client/fetch.js';
import { OptionError } from '../gateway/option-error.js';
import type { Expectation, Step } from './contract.js';
import { isTrue, numberOf, scalarText, under } from './decode-expectation.js';
import type { FileReader } from './file-reader.js';

/** A step, and what of the multiplied fields it has: 'method=POST client=none'. */
export interface Variant {
  readonly step: Step;
  readonly label: string;
}

/** One value of one field. */
interface Choice {
  readonly node: YamlNode;
  /** '' when the field has one value only. */
  readonly label: string;
}

type Choices = Readonly<Partial<Record<Field, Choice>>>;

const FIELDS = ['url', 'method', 'headers', 'body', 'client', 'sni', 'alpn', 'http2', 'tls', 'version'] as const;
type Field = (typeof FIELDS)[number];

/** Every combination, in the order of the fields above. Mistakes are reported and left out. */
export function decodeSteps(node: YamlNode, expect: Expectation, reader: FileReader, shared: boolean): Variant[] {
  let combinations: Choices[] = [{}];
  for (const field of FIELDS) {
    const written = under(node, field);
    if (written === undefined) continue;
    const choices = choicesOf(field, written);
    combinations = combinations.flatMap((combination) =>
      choices.map((choice) => ({ ...combination, [field]: choice })),
    );
  }
  const repeat = numberOf(under(node, 'repeat')) || 1;
  return combinations.flatMap((chosen) => {
    const step = toStep(chosen, repeat, expect, reader, shared);
    if (step === undefined) return [];
    const label = FIELDS.map((field) => chosen[field]?.label ?? '')
      .filter((text) => text !== '')
      .join(' ');
    return [{ step, label }];
  });
}

function choicesOf(field: Field, node: YamlNode): readonly Choice[] {
  // A list of protocols is one value.
  const isMultiplied =
    node.kind === 'list' &&
    (field !== 'alpn' || (node.items.length > 0 && node.items.every(({ kind }) => kind === 'list')));
  if (!isMultiplied) return [{ node, label: '' }];
  return node.items.map((item, index) => ({ node: item, label: `${field}=${describe(item, index)}` }));
}

function describe(node: YamlNode, index: number): string {
  if (node.kind === 'list') return node.items.map(scalarText).join(',');
  if (node.kind === 'map') return `#${index + 1}`;
  const text = scalarText(node);
  return text.length > 60 ? `#${index + 1}` : text === '' ? "''" : text;
}

function toStep(
  chosen: Choices,
  repeat: number,
  expect: Expectation,
  reader: FileReader,
  shared: boolean,
): Step | undefined {
  const urlNode = chosen.url?.node as YamlNode;
  const text = (field: Field): string | undefined => {
    const node = chosen[field]?.node;
    return node === undefined ? undefined : scalarText(node);
  };
  const url = text('url') ?? '';
  const version = text('version');
  const tls = text('tls');
  const client = text('client');
  const alpn = chosen.alpn?.node;
  const method = text('method');
  const body = text('body');
  const sni = text('sni');
  const isHttp2 = isTrue(chosen.http2?.node) || version === 'HTTP/2';
  const isHttp1 = version === 'HTTP/1.1' || version === 'HTTP/1.0' || chosen.http2 !== undefined;
  const tlsVersion =
    version?.startsWith('TLS') === true ? (version.replace(/^TLSv1\.0$/, 'TLSv1') as TlsVersion) : undefined;
  const options = {
    ...(method === undefined ? {} : { method }),
    ...(chosen.headers === undefined ? {} : { headers: headersOf(chosen.headers.node) }),
    ...(body === undefined ? {} : { body }),
    ...(sni === undefined ? {} : { sni }),
    ...(alpn === undefined
      ? // One connection for several hosts is what browsers do with HTTP/2.
        shared && !isHttp1 && !isHttp2
        ? { alpn: ['h2', 'http/1.1'] }
        : {}
      : { alpn: alpn.kind === 'list' ? alpn.items.map(scalarText) : [scalarText(alpn)] }),
    ...(isHttp2 ? { http2: true } : {}),
    ...(tls === 'false' || tls === 'plaintext' ? { plaintext: true } : {}),
    ...(tlsVersion === undefined ? {} : { tlsVersion }),
  };
  try {
    planFetch(url, options);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    const at = FIELDS.find((field) => error.option.split('.')[0] === field);
    reader.report(ContractRequest, (at === undefined ? undefined : chosen[at]?.node) ?? urlNode, {
      why: error.message.replace(/^fetch: /, ''),
    });
    return undefined;
  }
  return {
    url,
    options,
    ...(client === undefined || client === 'none' ? {} : { client }),
    http10: version === 'HTTP/1.0',
    repeat,
    expect,
    origin: reader.origin(urlNode),
  };
}

function headersOf(node: YamlNode): Readonly<Record<string, string | readonly string[]>> {
  if (node.kind !== 'map') return {};
  return Object.fromEntries(
    node.entries.map(({ key, value }) => [
      key,
      value.kind === 'list' ? value.items.map(scalarText) : scalarText(value),
    ]),
  );
}
