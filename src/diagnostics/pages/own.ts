// Pages of PST13xx: postern's own analyzers.
import {
  type CodePages,
  documents,
  EDGE,
  gateway,
  HTTPS_SERVER,
  istio,
  service,
  TO_WEB,
  virtualService,
} from './page.js';

/** Certificates are too long for a page, and end. */
const WITH_SECRET = 'postern analyze, with the Secret in the files';

export const OWN_PAGES: CodePages = {
  PST1301: {
    example: gateway(HTTPS_SERVER),
    shownBy: WITH_SECRET,
    fix: 'Issue the certificate for these hosts too, or serve them with another one.',
  },
  PST1302: { example: gateway(HTTPS_SERVER), shownBy: WITH_SECRET, fix: 'Renew the certificate.' },
  PST1303: { example: gateway(HTTPS_SERVER), shownBy: WITH_SECRET, fix: 'Renew the certificate in time.' },
  PST1304: {
    example: gateway(HTTPS_SERVER),
    shownBy: WITH_SECRET,
    fix: 'Put the key into the Secret that belongs to the certificate.',
  },
  PST1305: {
    example: documents(gateway(HTTPS_SERVER.replace('SIMPLE', 'MUTUAL'))),
    fix: 'Add `ca.crt` to the Secret, or create a Secret of the same name with `-cacert` behind it.',
  },
  PST1306: {
    example: gateway(HTTPS_SERVER),
    shownBy: WITH_SECRET,
    fix: 'Let a CA sign the certificate; `postern certs` makes one for development.',
  },
  PST1307: {
    example: gateway(HTTPS_SERVER),
    shownBy: WITH_SECRET,
    fix: 'Put the certificates in order: the server certificate first, then each one that signed the one before.',
  },
  PST1310: {
    example: documents(
      EDGE,
      virtualService(`http:\n${TO_WEB}`, '{name: a}'),
      virtualService(
        'http:\n- match: [{uri: {prefix: /api}}]\n  directResponse: {status: 200}\n- directResponse: {status: 404}',
        '{name: b}',
      ),
      service('web'),
    ),
    fix: 'Put the more specific rule first; across VirtualServices the older one (creationTimestamp, then name) comes first.',
  },
  PST1311: {
    example: documents(
      EDGE,
      virtualService('http:\n- match: [{uri: {prefix: /a}}]\n  directResponse: {status: 200}', '{name: a}'),
      virtualService('http:\n- match: [{uri: {prefix: /b}}]\n  directResponse: {status: 200}', '{name: b}'),
    ),
    fix: 'Nothing has to be fixed while no rule of one fits requests of the other; one VirtualService per host leaves no doubt.',
  },
  PST1312: {
    example: EDGE.replace('{istio: ingressgateway}', '{istio: egressgateway}'),
    fix: 'Emulate that workload with --gateway-label, or correct the selector.',
  },
  PST1313: {
    example: documents(
      EDGE.replace('{istio: ingressgateway}', '{istio: egressgateway}'),
      virtualService('http:\n- directResponse: {status: 200}'),
    ),
    fix: 'Emulate that workload with --gateway-label, or bind the VirtualService to a Gateway of this one.',
  },
  PST1314: {
    example: documents(
      gateway(HTTPS_SERVER, '{name: a}'),
      gateway(HTTPS_SERVER.replace('shop.', 'blog.'), '{name: b}'),
    ),
    shownBy: WITH_SECRET,
    fix: 'Serve hosts of one certificate by one Gateway server, or give them certificates of their own.',
  },
  PST1315: {
    example: gateway(
      '- port: {number: 15443, name: tls, protocol: TLS}\n  hosts: ["*.shop.svc.cluster.local"]\n  tls: {mode: AUTO_PASSTHROUGH}',
    ),
    fix: 'Write the full name of a service of the mesh, or a wildcard that fits one.',
  },
  PST1316: {
    example: documents(
      gateway(
        '- port: {number: 15443, name: tls, protocol: TLS}\n  hosts: ["*.internal.example.com"]\n  tls: {mode: AUTO_PASSTHROUGH}',
      ),
      istio(
        'ServiceEntry',
        '{name: db}',
        'hosts: [db.internal.example.com]\nlocation: MESH_INTERNAL\nresolution: STATIC\nports: [{number: 443, name: tls, protocol: TLS}]\nendpoints: [{address: 127.0.0.1}]',
      ),
    ),
    fix: 'Give the workload a sidecar; in files that is the label `security.istio.io/tlsMode: istio` of the Pod or endpoint.',
  },
  PST1317: {
    example: documents(EDGE, virtualService(`http:\n${TO_WEB}`), service('web')),
    fix: 'Nothing has to be fixed. Map the service with --upstream to reach a real one.',
  },
};
