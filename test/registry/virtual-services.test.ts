// Names of VirtualServices written out in full, and which a gateway sees. Spec virtualservice.md §3.
import t from 'tap';
import { loadConfig } from '../../src/config/load.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import {
  allVirtualServices,
  resolveGatewayNames,
  resolveShortName,
  virtualServicesForGateway,
} from '../../src/registry/virtual-services.js';

for (const [written, want] of [
  ['gw', 'apps/gw'],
  ['infra/gw', 'infra/gw'],
  ['gw.infra', 'infra/gw'],
  ['gw.infra.svc.cluster.local', 'infra/gw'],
  ['mesh', 'mesh'],
] as const) {
  t.same(resolveGatewayNames([written], 'apps'), [want], `gateway ${written}`);
}

for (const [written, want] of [
  ['web', 'web.apps.svc.cluster.local'],
  ['web.prod', 'web.prod'],
  ['web.', 'web.'],
  ['*', '*'],
  ['10.0.0.1', '10.0.0.1'],
  ['fd00::7', 'fd00::7'],
  ['', ''],
] as const) {
  t.equal(resolveShortName(written, 'apps', 'cluster.local'), want, `host ${written}`);
}

t.test('everything of a bound VirtualService is resolved in its namespace', async (t) => {
  const { store } = loadConfig([
    {
      file: 'test.yaml',
      named: true,
      text: `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: all, namespace: apps }
spec:
  hosts: [web]
  gateways: [mesh, gw, infra/other, gw]
  exportTo: [istio-system]
  http:
  - match: [{ gateways: [gw] }]
    route: [{ destination: { host: web } }]
    mirror: { host: shadow }
  tls:
  - match: [{ sniHosts: [web], gateways: [gw] }]
    route: [{ destination: { host: web } }]
  tcp:
  - match: [{ port: 1, gateways: [mesh] }]
    route: [{ destination: { host: web } }]
`,
    },
  ]);
  const proxy = { labels: {}, ipAddress: '127.0.0.2', locality: {}, metadata: {}, domain: 'cluster.local' };
  const context = buildPushContext(store, { ...proxy, namespace: 'istio-system' });
  const [bound, ...more] = virtualServicesForGateway(context, 'apps/gw');
  const web = 'web.apps.svc.cluster.local';
  t.same(more, []);
  t.match(bound, {
    hosts: [web],
    gateways: ['apps/gw', 'infra/other', 'apps/gw'],
    exportTo: ['istio-system'],
    http: [
      {
        index: 0,
        route: {
          match: [{ gateways: ['apps/gw'] }],
          route: [{ destination: { host: web } }],
          mirror: { host: 'shadow.apps.svc.cluster.local' },
        },
      },
    ],
    // sniHosts are names in a handshake, not hosts of services.
    tls: [{ match: [{ sniHosts: ['web'], gateways: ['apps/gw'] }], route: [{ destination: { host: web } }] }],
    tcp: [{ match: [{ gateways: ['mesh'] }], route: [{ destination: { host: web } }] }],
  });
  t.equal(
    virtualServicesForGateway(context, 'apps/gw'),
    virtualServicesForGateway(context, 'apps/gw'),
    'computed once',
  );
  const elsewhere = buildPushContext(store, { ...proxy, namespace: 'apps' });
  t.same(virtualServicesForGateway(elsewhere, 'apps/gw'), [], 'exported to one namespace, not even to its own');
  t.equal(allVirtualServices(elsewhere).length, 1);
});
