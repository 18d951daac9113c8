// x-forwarded-host of a rewritten Host. Spec virtualservice.md §9.6.
import t from 'tap';
import { appendForwardedHost } from '../../src/filters/forwarded-host.js';
import { HeaderMap } from '../../src/filters/header-map.js';

for (const [title, headers, want] of [
  ['absent', [], ['a.test']],
  ['appended without a blank', ['x-forwarded-host', 'b.test'], ['b.test,a.test']],
  ['not twice', ['x-forwarded-host', 'b.test,a.test'], ['b.test,a.test']],
  ['two lines become one', ['x-forwarded-host', 'b.test', 'x-forwarded-host', 'c.test'], ['b.test,c.test,a.test']],
] as const) {
  const map = new HeaderMap([...headers]);
  appendForwardedHost(map, 'a.test');
  t.same(map.values('x-forwarded-host'), want, title);
}
