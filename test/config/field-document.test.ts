// docs/fields.md, the published table of every field, is made from the decoder's rows; this fails when it is out of
// date, and rewrites it when run with `--update` (`npm run fields`).
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { FieldRow, FieldStatus, MessageShape } from '../../src/config/decode/value-type.js';
import { METADATA_KEYS } from '../../src/config/fields/metadata-keys.js';
import { type Field, listFields } from '../../src/config/fields.js';
import { listNotEmulated } from '../../src/deviations.js';

const MAIN_KINDS = ['Gateway', 'VirtualService', 'DestinationRule', 'ServiceEntry', 'WorkloadEntry'];

const VERDICTS: Readonly<Record<FieldStatus, string>> = {
  emulated: 'emulated',
  'no effect here': 'no effect at a gateway',
  refused: 'refused',
  'not emulated': 'not emulated (PST0130)',
};

/** A message as a section: its rows and everywhere that it stands. */
interface Section {
  readonly kind: string;
  readonly message: MessageShape;
  readonly places: Set<string>;
  /** By name; the fullest verdict where the message stands in several places. */
  readonly fields: Map<string, Field>;
}

function renderDocument(fields: readonly Field[]): string {
  const sections = sectionsOf(fields);
  const lines = [
    '# Every field',
    '',
    'Made from the rows that the decoders run on (`npm run fields`); a test fails when it is out of date. A message that',
    'stands in several places has one table. *Emulated*: the field does here what it does at a real gateway, and a probe',
    'in [test/config/field-probes](../test/config/field-probes) fails when its row is taken out. *No effect at a gateway*:',
    'an ingress gateway of Istio does not act on it either. *Refused*: the webhook of istiod refuses the object, and so',
    'does postern. *Not emulated*: whoever writes it is warned.',
    '',
    ...countTable(sections),
  ];
  let kind = '';
  for (const section of sections) {
    if (section.kind !== kind) lines.push('', `## ${section.kind}`);
    kind = section.kind;
    const places = [...section.places].map((place) => (place === '' ? 'the object itself' : `\`${place}\``));
    lines.push('', `### ${section.message.name}`, '', `At ${shorten(places)}.`, '');
    lines.push('| Field | Type | | |', '|---|---|---|---|');
    for (const [name, { type, status, note, required }] of section.fields) {
      const shown = type.replaceAll('|', '\\|');
      lines.push(`| \`${name}\`${required ? ' (required)' : ''} | ${shown} | ${VERDICTS[status]} | ${note} |`);
    }
  }
  lines.push('', '## Labels and annotations', '', '| Key | Of | | |', '|---|---|---|---|');
  for (const { kinds, where, key, status, note } of METADATA_KEYS) {
    lines.push(`| \`${key}\` | ${where} of ${kinds.join(', ')} | ${VERDICTS[status]} | ${note} |`);
  }
  return `${lines.join('\n')}\n`;
}

function sectionsOf(fields: readonly Field[]): readonly Section[] {
  const sections = new Map<MessageShape, Section>();
  for (const field of fields) {
    const { kind, message } = field;
    const section = sections.get(message) ?? { kind, message, places: new Set(), fields: new Map() };
    sections.set(message, section);
    const [, place = '', name = ''] = /^(?:(.*)\.)?(.*)$/.exec(field.path) ?? [];
    section.places.add(kind === section.kind ? place : `${kind} ${place}`);
    const known = section.fields.get(name);
    if (known === undefined || field.status === 'emulated') section.fields.set(name, field);
  }
  return [...sections.values()].filter(({ kind }) => kind !== '');
}

function shorten(places: readonly string[]): string {
  if (places.length <= 6) return places.join(', ');
  return `${places.slice(0, 5).join(', ')} and ${places.length - 5} more places`;
}

/** Rows per kind and verdict; a row counts once, at the first kind that has it. */
function countTable(sections: readonly Section[]): readonly string[] {
  const verdicts = Object.keys(VERDICTS) as FieldStatus[];
  const counts = new Map<string, Map<FieldStatus, number>>();
  const seen = new Set<FieldRow>();
  for (const { kind, fields } of sections) {
    for (const { row, status } of fields.values()) {
      if (seen.has(row)) continue;
      seen.add(row);
      const byStatus = counts.get(kind) ?? new Map<FieldStatus, number>();
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
      counts.set(kind, byStatus);
    }
  }
  const row = (name: string, byStatus: ReadonlyMap<FieldStatus, number>): string =>
    `| ${name} | ${verdicts.map((verdict) => byStatus.get(verdict) ?? 0).join(' | ')} |`;
  return [
    `| | ${verdicts.map((verdict) => VERDICTS[verdict]).join(' | ')} |`,
    `|---|${verdicts.map(() => '---:|').join('')}`,
    ...[...counts].map(([kind, byStatus]) => row(kind, byStatus)),
  ];
}

const file = path.resolve(repositoryRoot(), 'docs/fields.md');

function repositoryRoot(): string {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
  return folder;
}

if (process.argv.includes('--update')) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, renderDocument(listFields()));
}

t.test('docs/fields.md is up to date', async (t) => {
  const fields = listFields();
  const written = existsSync(file) ? readFileSync(file, 'utf8') : '';
  t.ok(written === renderDocument(fields), 'otherwise: npm run fields');
  for (const kind of MAIN_KINDS) t.match(written, `\n## ${kind}\n`);
});

t.test('the published list of what is not emulated has every such field', async (t) => {
  const listed = new Set(listNotEmulated().flatMap(({ id, paths }) => paths.map((one) => pathOf(id, one))));
  for (const { kind, path: place, status, row } of listFields()) {
    if (status !== 'not emulated') continue;
    // A field of a message that is not emulated goes without saying.
    const covered =
      row.status === 'not emulated' || [...listed].some((one) => `${kind} ${place}`.startsWith(`${one}.`));
    t.ok(covered && (row.status !== 'not emulated' || listed.has(`${kind} ${place}`)), `${kind} ${place}`);
  }
  const ids = listNotEmulated().map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length, 'one entry each');
  t.ok(ids.includes('AuthorizationPolicy (security.istio.io)'), 'whole kinds too');
});

function pathOf(id: string, place: string): string {
  return place.includes(' ') ? place : `${id.split(/[ .]/, 1)[0]} ${place}`;
}
