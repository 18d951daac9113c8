import t from 'tap';
import { type CpuProfile, foldProfile } from '../../../src/cli/bench/cpu-profile.js';

const FRAMES: readonly (readonly [functionName: string, url: string])[] = [
  ['(root)', ''],
  ['(idle)', ''],
  ['(garbage collector)', ''],
  ['writeLatin1String', ''],
  ['connect', ''],
  ['(program)', ''],
  ['onwrite', 'node:internal/streams/writable'],
  ['onhandshakedone', 'node:_tls_wrap'],
  ['find', 'file:///srv/node_modules/postern/dist/match/inspect/tls-inspector.js'],
  ['parse', 'file:///srv/postern/dist/dataplane/codec/http1/server-codec.js'],
  ['decide', 'file:///srv/postern/dist/decide/decide.js'],
  ['compile', 'file:///srv/node_modules/re2js/build/index.js'],
  ['main', 'file:///srv/elsewhere.js'],
];

/** One sample of each name in turn, a millisecond apart, from the moment 1000. */
function profileOf(names: readonly string[]): CpuProfile {
  return {
    startTime: 0,
    nodes: FRAMES.map(([functionName, url], id) => ({ id, callFrame: { functionName, url } })),
    samples: names.map((name) => FRAMES.findIndex(([functionName]) => functionName === name)),
    timeDeltas: names.map(() => 1000),
  };
}

function check(title: string, names: readonly string[], want: Readonly<Record<string, number>>): void {
  t.test(title, async (t) => {
    const places = foldProfile(profileOf([...names, '(idle)']), 0, Number.POSITIVE_INFINITY);
    t.same(Object.fromEntries(places.map(({ place, share }) => [place, share])), want);
  });
}

check('time in which nothing ran does not count', ['(idle)', 'decide', '(idle)'], { 'postern decide': 1 });
check('system calls by what they are for', ['writeLatin1String', 'connect', 'writeLatin1String', 'connect'], {
  'system: write to sockets': 0.5,
  'system: open and close sockets': 0.5,
});
check('garbage collection and native code', ['(garbage collector)', '(program)'], {
  'garbage collection': 0.5,
  'native: events': 0.5,
});
check("node's own files", ['onwrite', 'onhandshakedone'], {
  "node's sockets and streams": 0.5,
  'TLS: node and OpenSSL': 0.5,
});
check('ours by folder, installed or not', ['find', 'parse', 'decide', 'decide'], {
  'postern decide': 0.5,
  'postern match/inspect': 0.25,
  'postern dataplane/codec': 0.25,
});
check('packages and what is neither', ['compile', 'main'], { packages: 0.5, other: 0.5 });
check('nothing at all', [], {});

t.test('only between the two moments, most first', async (t) => {
  const profile = profileOf(['decide', 'decide', 'parse', 'parse', 'onwrite', 'decide', '(idle)']);
  t.same(foldProfile(profile, 2500, 5500), [
    { place: 'postern dataplane/codec', share: 2 / 3 },
    { place: "node's sockets and streams", share: 1 / 3 },
  ]);
});
