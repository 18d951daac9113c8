// Pages of PST02xx: Gateways, listeners and Secrets.
import { type CodePages, documents, EDGE, gateway, HTTPS_SERVER, kubernetes, virtualService } from './page.js';

const PASSTHROUGH =
  '- port: {number: 443, name: tls, protocol: TLS}\n  hosts: [shop.example.com]\n  tls: {mode: PASSTHROUGH}';
const TCP = '- port: {number: 31400, name: tcp, protocol: TCP}\n  hosts: ["*"]';

export const GATEWAY_PAGES: CodePages = {
  PST0201: {
    example: documents(gateway(HTTPS_SERVER, '{name: a}'), gateway(HTTPS_SERVER, '{name: b}')),
    fix: 'Let a TLS host stand in one server of a port. The earlier server keeps it, and the later one is dropped with all of its hosts.',
  },
  PST0202: {
    example: documents(
      EDGE,
      gateway('- port: {number: 80, name: tcp, protocol: TCP}\n  hosts: ["*"]', '{name: other}'),
    ),
    fix: 'Give the server another port or `bind`.',
  },
  PST0203: {
    shownBy: 'nobody: istiod has this line, and no configuration is known that leads to it',
    fix: 'Give the server that is not HTTP another port.',
  },
  PST0204: {
    shownBy: 'nobody: the webhook refuses such a Gateway first',
    fix: 'Give the ports of the servers different names.',
  },
  PST0205: { example: gateway(TCP), fix: 'Bind a VirtualService with `tcp` (or `tls`) routes to the Gateway.' },
  PST0206: {
    example: documents(
      gateway(TCP),
      virtualService('http:\n- directResponse: {status: 200}').replace('shop.example.com', '"*"'),
    ),
    fix: 'Give the VirtualService routes of the section that the server reads: `tls` for PASSTHROUGH, `tcp` for the others.',
  },
  PST0207: {
    example: documents(
      gateway(PASSTHROUGH),
      virtualService('tls:\n- match: [{sniHosts: [shop.example.com]}]\n  route: [{destination: {host: web}}]'),
      virtualService(
        'tls:\n- match: [{sniHosts: [shop.example.com]}]\n  route: [{destination: {host: web}}]',
        '{name: shop-2}',
      ),
    ),
    fix: 'Let each SNI host stand in one rule; a match with a taken name is skipped with its other names.',
  },
  PST0208: {
    example: EDGE,
    shownBy: 'postern run --node-metadata UNPRIVILEGED_POD=true',
    fix: 'Let a Service map the port to one above 1023, or run the gateway with the privilege.',
  },
  PST0209: {
    example: gateway(
      '- port: {number: 443, name: https, protocol: HTTPS}\n  hosts: [shop.example.com]\n  tls: {mode: SIMPLE, credentialName: shop-tls, subjectAltNames: [a.example.com]}',
    ),
    fix: 'Envoy refuses the whole listener: mend the server that the text is about.',
  },
  PST0210: {
    example: gateway(HTTPS_SERVER),
    shownAs: 'IST0101',
    fix: 'Add the Secret in the namespace of the gateway pods (istio-system), or let `postern run --dev-certs` make one.',
  },
  PST0211: {
    example: documents(
      gateway(HTTPS_SERVER),
      'apiVersion: v1\nkind: Secret\nmetadata: {name: shop-tls, namespace: istio-system}\ndata: {tls.crt: aGVsbG8=, tls.key: aGVsbG8=}\n',
    ),
    shownAs: 'IST0161',
    fix: 'Put a certificate and its key into the Secret as PEM.',
  },
  PST0212: { example: gateway(HTTPS_SERVER), shownAs: 'IST0101', fix: 'Add the Secret.' },
  PST0213: {
    example: documents(
      EDGE,
      kubernetes(
        'ConfigMap',
        '{name: istio, namespace: istio-system}',
        'data:\n  mesh: |\n    defaultConfig: {connectionSettings: {profile: EDGE}}',
      ),
    ),
    fix: 'Nothing has to be fixed; the real gateway applies the setting.',
  },
  PST0214: { example: gateway(TCP), fix: 'Bind a VirtualService with `gateways: [NAMESPACE/NAME]`.' },
  PST0215: {
    example: gateway(HTTPS_SERVER.replace('shop-tls}', 'shop-tls, ecdhCurves: [P-521, X25519Kyber768Draft00]}')),
    shownBy: 'postern run, where the OpenSSL of Node lacks the algorithm',
    fix: 'Nothing has to be fixed for the real gateway.',
  },
};
