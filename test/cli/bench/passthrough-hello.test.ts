import t from 'tap';
import { clientHello } from '../../../src/cli/bench/passthrough-hello.js';
import { TlsInspector } from '../../../src/match/inspect/tls-inspector.js';

for (const name of ['a.test', `${'x'.repeat(60)}.${'y'.repeat(60)}.example.com`])
  t.test(`a hello for ${name} is read as one, and as long as OpenSSL's`, async (t) => {
    const hello = clientHello(name, ['istio', 'h2']);
    const inspector = new TlsInspector();
    t.equal(inspector.push(hello), 'hello');
    t.equal(inspector.serverName, name);
    t.same(inspector.alpn, ['istio', 'h2']);
    t.equal(hello.length, 517);
    t.equal(clientHello(name, ['istio', 'h2']), hello, 'made once');
  });
