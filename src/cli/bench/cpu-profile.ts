// A CPU profile as V8 writes it (`--cpu-prof`), folded to a few rows that say where the time went.

/** The part of a .cpuprofile that is used. Times are microseconds of the system's monotonic clock. */
export interface CpuProfile {
  readonly startTime: number;
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A place, and its share of the time that the process was busy: from 0 to 1. */
export interface Place {
  readonly place: string;
  readonly share: number;
}

const WRITES = /^(?:write|shutdown)/;
const SOCKETS =
  /^(?:TCP|connect6?|open|close|accept|bind6?|listen|setNoDelay|setKeepAlive|getpeername|getsockname|reset)$/;
const READS = /^(?:read|useUserBuffer)/;
/** Folders that are looked into: most of what a gateway does is there. */
const DEEP = new Set(['dataplane', 'match']);

/** Between two moments, the places that took most first. Time in which nothing ran does not count. */
export function foldProfile(profile: CpuProfile, from: number, to: number): readonly Place[] {
  const places = new Map(
    profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame.functionName, callFrame.url)]),
  );
  const times = new Map<string, number>();
  let busy = 0;
  let now = profile.startTime;
  profile.samples.forEach((sample, i) => {
    now += profile.timeDeltas[i] ?? 0;
    const place = places.get(sample);
    if (place === undefined || now < from || now > to) return;
    // A sample stands for the time until the next one.
    const time = Math.max(0, profile.timeDeltas[i + 1] ?? 0);
    times.set(place, (times.get(place) ?? 0) + time);
    busy += time;
  });
  return [...times]
    .map(([place, time]) => ({ place, share: busy === 0 ? 0 : time / busy }))
    .sort((a, b) => b.share - a.share);
}

/** `undefined` = nothing ran. */
function placeOf(functionName: string, url: string): string | undefined {
  if (functionName === '(idle)' || functionName === '(root)') return undefined;
  if (functionName === '(garbage collector)') return 'garbage collection';
  // Native code that no JavaScript has called.
  if (functionName === '(program)') return 'native: events';
  if (url === '') return nativePlace(functionName);
  // What a built-in function calls natively counts as its own where V8 has no name for it: OpenSSL is among that.
  if (url.startsWith('node:')) return /tls|crypto/.test(url) ? 'TLS: node and OpenSSL' : "node's sockets and streams";
  const inPostern = /\/dist\/([\w-]+)\/(?:([\w-]+)\/)?/.exec(url);
  if (url.includes('/node_modules/') && !url.includes('/node_modules/postern/')) return 'packages';
  if (inPostern === null) return 'other';
  const [, folder = '', below] = inPostern;
  return `postern ${folder}${DEEP.has(folder) && below !== undefined ? `/${below}` : ''}`;
}

function nativePlace(functionName: string): string {
  if (WRITES.test(functionName)) return 'system: write to sockets';
  if (SOCKETS.test(functionName)) return 'system: open and close sockets';
  if (READS.test(functionName)) return 'system: read from sockets';
  return 'native: called from JavaScript';
}
