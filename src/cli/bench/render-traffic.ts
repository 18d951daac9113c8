// The table of what a gateway did under load, and where its time went.
import type { Traffic, TrafficRow } from './traffic.js';

/** Places below this share of every workload are summed up. */
const LEAST_SHARE = 0.02;
const NAME_WIDTH = 36;
const PLACE_WIDTH = 44;

/** Text for a terminal; ends with a newline. */
export function renderTraffic({ rows, slowest, skipped }: Traffic): string {
  return [
    ...(rows.length === 0
      ? ['', 'nothing to ask: no server name and no rule for which a call could be made']
      : table(rows)),
    ...(slowest.length === 0 ? [] : ['', 'slowest over HTTP/1.1, p50']),
    ...slowest.map(({ name, p50 }) => `  ${name.padEnd(56)} ${milliseconds(p50)}`),
    ...placesOf(rows),
    ...(skipped.length === 0 ? [] : ['', 'not measured']),
    ...skipped.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

function table(rows: readonly TrafficRow[]): string[] {
  return [
    '',
    `${'one gateway process, 16 to 64 clients'.padEnd(NAME_WIDTH)} ${'calls'.padStart(5)} ${'per s'.padStart(8)}  ${'spread'.padEnd(14)} ${'p50'.padStart(9)} ${'p99'.padStart(9)} ${'CPU each'.padStart(9)} ${'used'.padStart(6)}`,
    ...rows.map(rowText),
  ];
}

function rowText({ name, subjects, rate, p50, p99, cpu, used, errors }: TrafficRow): string {
  const spread = `${rate.min.toFixed(0)}..${rate.max.toFixed(0)}`;
  const cost = cpu === undefined ? '-' : `${cpu.toFixed(0)} us`;
  const share = used === undefined ? '-' : percent(used);
  const failed = errors === 0 ? '' : `  ${errors} failed`;
  return `${name.padEnd(NAME_WIDTH)} ${String(subjects).padStart(5)} ${rate.median.toFixed(0).padStart(8)}  ${spread.padEnd(14)} ${milliseconds(p50)} ${milliseconds(p99)} ${cost.padStart(9)} ${share.padStart(6)}${failed}`;
}

/** A column for each workload. */
function placesOf(rows: readonly TrafficRow[]): string[] {
  const shown = rows.filter(({ places }) => places.length > 0);
  if (shown.length === 0) return [];
  const most = new Map<string, number>();
  for (const { places } of shown)
    for (const { place, share } of places) most.set(place, Math.max(most.get(place) ?? 0, share));
  const names = [...most]
    .filter(([, share]) => share >= LEAST_SHARE)
    .sort((a, b) => b[1] - a[1])
    .map(([place]) => place);
  const shares = shown.map(({ places }) => new Map(places.map(({ place, share }) => [place, share])));
  const column = (text: string): string => text.padStart(10);
  return [
    '',
    `${'where the time goes'.padEnd(PLACE_WIDTH)}${shown.map(({ name }) => column(shortName(name))).join('')}`,
    ...names.map(
      (name) => `  ${name.padEnd(PLACE_WIDTH - 2)}${shares.map((of) => column(percent(of.get(name) ?? 0))).join('')}`,
    ),
    `  ${'the rest'.padEnd(PLACE_WIDTH - 2)}${shares
      .map((of) => column(percent(1 - names.reduce((sum, name) => sum + (of.get(name) ?? 0), 0))))
      .join('')}`,
  ];
}

function shortName(name: string): string {
  if (name.startsWith('passthrough')) return 'passed on';
  if (name.startsWith('TLS')) return 'handshake';
  return name.endsWith('without TLS') ? 'plain h1' : name.startsWith('HTTP/2') ? 'h2' : 'h1';
}

function percent(share: number): string {
  return `${(100 * Math.max(0, share)).toFixed(0)} %`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`.padStart(9);
}
