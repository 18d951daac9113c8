import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { subjectsOf } from '../../../src/cli/bench/subjects.js';
import { buildSnapshotIndex } from '../../../src/decide/snapshot-index.js';
import { compile } from '../../../src/gateway/compile.js';
import { DevelopmentCertificates } from '../../../src/gateway/development-certificates.js';
import { Stubs } from '../../../src/gateway/stubs.js';

const MESH = 'istio,istio-peer-exchange,istio-http/1.0,istio-http/1.1,istio-h2';

/** Each subject as 'kind name', with what is expected of it. */
function check(title: string, example: string, want: readonly string[]): void {
  t.test(title, async (t) => {
    const folder = path.join('examples', example, 'istio');
    const sources = await Promise.all(
      (await readdir(folder)).map(async (name) => {
        const file = path.join(folder, name);
        return { file, text: await readFile(file, 'utf8'), named: true };
      }),
    );
    let port = 0;
    const { snapshot } = await compile(
      sources,
      {},
      {
        stubs: new Stubs(async (name) => ({ name, address: `127.0.0.1:${++port}`, close: async () => {} })),
        certificates: new DevelopmentCertificates(undefined),
        devCerts: false,
      },
    );
    const subjects = subjectsOf(buildSnapshotIndex(snapshot));
    t.same(
      subjects.map(({ kind, name, status, alpn, clientCa }) =>
        [kind, name, status, alpn.join(), clientCa].filter((part) => part !== undefined && part !== '').join(' '),
      ),
      want,
    );
  });
}

check('names that are passed on, as browsers ask for them', 'passthrough', [
  'passthrough orders.example.com:8443 h2,http/1.1',
  'passthrough payments.example.com:8443 h2,http/1.1',
]);
check('services of a mesh, as only a mesh asks for them', 'auto-passthrough', [
  `passthrough outbound_.15443_._.istio-eastwestgateway.istio-system.svc.cluster.local:15443 ${MESH}`,
  `passthrough outbound_.9080_._.reviews.shop.svc.cluster.local:15443 ${MESH}`,
  `passthrough outbound_.9080_.v1_.reviews.shop.svc.cluster.local:15443 ${MESH}`,
]);
check('a call for each rule, redirects among them', 'contract-tests', [
  'http http://admin.example.com/ on 8080 301',
  'http http://shop.example.com/ on 8080 301',
  'https https://shop.example.com/api/ on 8443 200',
  'https https://shop.example.com/canary on 8443 200',
  'https https://shop.example.com/old on 8443 302',
  'https https://admin.example.com/ on 8443 200 kubernetes://admin-tls-cacert',
  'passthrough bank.example.com:8443 h2,http/1.1',
]);
check('a client certificate where a server wants one', 'all-modes-one-port', [
  'http http://mutual.example.com/ on 8080 301',
  'https https://simple.example.com/ on 8443 200',
  'https https://mutual.example.com/ on 8443 200 kubernetes://server-cacert',
  'passthrough bank.example.com:8443 h2,http/1.1',
  `passthrough outbound_.8443_._.bank.shop.svc.cluster.local:8443 ${MESH}`,
  `passthrough outbound_.9000_._.echo.shop.svc.cluster.local:8443 ${MESH}`,
  `passthrough outbound_.80_._.web.shop.svc.cluster.local:8443 ${MESH}`,
]);
