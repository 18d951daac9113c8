// Host names, labels and protocol words. Tables of spec gateway.md §3.1, §5.2, §5.3.
import t from 'tap';
import {
  hostsForNamespace,
  isWildcard,
  overlaps,
  parseNamespacedHost,
  subsetOf,
} from '../../../src/config/model/host-name.js';
import { labelsMatch } from '../../../src/config/model/labels.js';
import { isHttpProtocol, isOpaqueTcpProtocol, parseProtocol } from '../../../src/config/model/protocol.js';

interface HostPair {
  readonly a: string;
  readonly b: string;
  readonly subset: boolean;
  readonly overlap: boolean;
}

const HOST_PAIRS: readonly HostPair[] = [
  { a: 'a.foo.com', b: '*.foo.com', subset: true, overlap: true },
  { a: 'a.b.foo.com', b: '*.foo.com', subset: true, overlap: true },
  { a: 'foo.com', b: '*.foo.com', subset: false, overlap: false },
  { a: '*.foo.com', b: '*.com', subset: true, overlap: true },
  { a: '*.com', b: '*.foo.com', subset: false, overlap: true },
  { a: '*.foo.com', b: 'a.foo.com', subset: false, overlap: true },
  { a: '*.foo.com', b: '*.bar.com', subset: false, overlap: false },
  { a: '*.foo.com', b: '*.foo.com', subset: true, overlap: true },
  { a: 'x', b: '*', subset: true, overlap: true },
  { a: '*', b: '*', subset: true, overlap: true },
  { a: '*', b: 'x', subset: false, overlap: true },
  { a: '*', b: '*.x', subset: false, overlap: true },
  { a: 'Foo.com', b: 'foo.com', subset: false, overlap: false },
  { a: 'A.foo.com', b: '*.Foo.com', subset: false, overlap: false },
  { a: 'xfoo.com', b: '*foo.com', subset: true, overlap: true },
  { a: 'foo.com', b: '*foo.com', subset: true, overlap: true },
  { a: 'a', b: 'a', subset: true, overlap: true },
  { a: '', b: '*', subset: true, overlap: true },
];

t.test('host algebra', async (t) => {
  for (const { a, b, subset, overlap } of HOST_PAIRS) {
    t.equal(subsetOf(a, b), subset, `subsetOf('${a}', '${b}')`);
    t.equal(overlaps(a, b), overlap, `overlaps('${a}', '${b}')`);
    t.equal(overlaps(b, a), overlap, `overlaps('${b}', '${a}')`);
  }
  t.same(['*', '*.a', '*a', 'a.*', ''].map(isWildcard), [true, true, true, false, false]);
});

t.test('namespaces before hosts', async (t) => {
  t.same(parseNamespacedHost('ns/a.com'), { namespace: 'ns', host: 'a.com' });
  t.same(parseNamespacedHost('a.com'), { namespace: undefined, host: 'a.com' });
  t.same(parseNamespacedHost('/a'), { namespace: '', host: 'a' });
  t.same(hostsForNamespace(['ns-b/*.b.test', 'ns-a/a.b.test', 'c.test'], 'ns-a'), ['a.b.test', 'c.test']);
});

t.test('labels', async (t) => {
  t.ok(labelsMatch({}, {}));
  t.ok(labelsMatch({}, { a: 'b' }));
  t.ok(labelsMatch({ a: 'b' }, { a: 'b', c: 'd' }));
  t.notOk(labelsMatch({ a: 'b' }, { a: 'c' }));
  t.notOk(labelsMatch({ a: '' }, {}), 'an empty value is not an absent label');
  t.notOk(labelsMatch({ toString: 'x' }, {}), 'names of Object.prototype are ordinary labels');
});

t.test('protocol words', async (t) => {
  const classes = (word: string): string => {
    const protocol = parseProtocol(word);
    return [isHttpProtocol(protocol) ? 'http' : '', isOpaqueTcpProtocol(protocol) ? 'tcp' : '']
      .filter((name) => name !== '')
      .join(' ');
  };
  const rows: Readonly<Record<string, string>> = {
    HTTP: 'http',
    http: 'http',
    HTTP2: 'http',
    Grpc: 'http',
    'GRPC-WEB': 'http',
    HTTP_PROXY: 'http',
    HTTPS: '',
    Tls: '',
    TCP: 'tcp',
    MONGO: 'tcp',
    redis: 'tcp',
    MySQL: 'tcp',
    UDP: 'tcp',
    HBONE: '',
    '': '',
    'HTTP/1.1': '',
    ' HTTP': '',
    WS: '',
  };
  for (const [word, want] of Object.entries(rows)) t.equal(classes(word), want, `'${word}'`);
});
