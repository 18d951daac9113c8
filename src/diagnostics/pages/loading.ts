// Pages of PST01xx and PST12xx: YAML, objects, and what the API server refuses.
import { type CodePages, documents, EDGE, gateway, istio, kubernetes, TO_WEB, virtualService } from './page.js';

const MESH = (text: string): string =>
  kubernetes(
    'ConfigMap',
    '{name: istio, namespace: istio-system}',
    `data:\n  mesh: |\n${text.replace(/^(?=.)/gm, '    ')}`,
  );

const rule = (spec: string): string => istio('DestinationRule', '{name: web}', `host: web\n${spec}`);

export const LOADING_PAGES: CodePages = {
  PST0101: {
    example: 'kind: [Gateway\nmetadata: {name: edge}\n',
    fix: 'Mend the YAML at the place that is shown; editors with a YAML mode find most of it.',
  },
  PST0102: { example: EDGE.replace('spec:\n', 'spec:\n  selector: {app: other}\n'), fix: 'Remove one of the two.' },
  PST0103: {
    example: 'apiVersion: networking.istio.io/v1\nmetadata: {name: edge}\n',
    fix: 'Every object begins with apiVersion and kind.',
  },
  PST0104: {
    example: 'contract: v1\ntests: []\n',
    fix: 'Run it with `postern test FILE`, and name the folder of the configuration here.',
  },
  PST0105: { example: EDGE.replace('kind: Gateway', 'kind: GateWay'), fix: 'Correct kind or apiVersion.' },
  PST0106: {
    example:
      'apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: f}\nspec: {configPatches: []}\n',
    fix: 'Nothing has to be fixed in the file; keep in mind that the real gateway acts on it.',
  },
  PST0107: { example: documents(EDGE, EDGE), fix: 'Keep one of them, or give them different names.' },
  PST0108: { example: EDGE.replace('{name: edge}', '{}'), fix: 'Give the object a metadata.name.' },
  PST0109: { example: EDGE.replace('name: edge', 'name: y'), fix: 'Write the name in quotes.' },
  PST0110: {
    example: EDGE.replace('  selector:', '  selectors:'),
    fix: 'Correct the name of the field; it is camelCase, and case counts.',
  },
  PST0111: {
    example: EDGE.replace('number: 80', 'number: "80"'),
    fix: 'Write a value of the type that the message asks for; put text that looks like something else into quotes.',
  },
  PST0112: { example: EDGE.replace('name: http, ', ''), fix: 'Add the field.' },
  PST0113: {
    example: gateway(
      '- port: {number: 443, name: tls, protocol: TLS}\n  hosts: [shop.example.com]\n  tls: {mode: passthrough}',
    ),
    fix: 'Write one of the words that the message lists.',
  },
  PST0114: { example: EDGE.replace('number: 80', 'number: -1'), fix: 'Write a larger number.' },
  PST0115: {
    example: virtualService('http:\n- directResponse: {status: 200}\n  match: [{port: 4294967296}]'),
    fix: 'Write a smaller number.',
  },
  PST0116: { example: EDGE.replace('number: 80', 'number: 80.5'), fix: 'Write a whole number.' },
  PST0117: {
    example: rule('trafficPolicy: {connectionPool: {tcp: {maxConnections: 9999999999}}}'),
    fix: 'Write a number that fits.',
  },
  PST0118: {
    example: istio(
      'ServiceEntry',
      '{name: db}',
      'hosts: []\nports: [{number: 443, name: tls, protocol: TLS}]\nresolution: DNS',
    ),
    fix: 'Add an item to the list.',
  },
  PST0119: {
    example: istio(
      'ServiceEntry',
      '{name: db}',
      `hosts: [${Array.from({ length: 257 }, (_, n) => `h${n}.example.com`).join(', ')}]\nresolution: DNS`,
    ),
    fix: 'Split the object in two.',
  },
  PST0120: {
    example: virtualService('http:\n- match: [{uri: {exact: /a, prefix: /b}}]\n  directResponse: {status: 200}'),
    fix: 'Keep one of the fields.',
  },
  PST0121: {
    example: virtualService(`http:\n${TO_WEB}\n  timeout: "5"`),
    fix: 'Write a number with a unit: 5s, 100ms, 1m30s.',
  },
  PST0122: {
    example: virtualService(`http:\n${TO_WEB}\n  timeout: 0s`),
    fix: 'Write at least 1ms, or leave the field out.',
  },
  PST0123: {
    example: EDGE.replace('{name: edge}', '{name: edge, creationTimestamp: yesterday}'),
    fix: 'Write a time like 2026-01-31T12:00:00Z, or leave it out.',
  },
  PST0124: {
    example:
      'apiVersion: v1\nkind: Secret\nmetadata: {name: shop-tls, namespace: istio-system}\ndata: {tls.crt: "not base64"}\n',
    fix: 'Encode the value with base64, or write it under `stringData` as it is.',
  },
  PST0129: {
    example: `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\nspec: {selector: {matchLabels: {app: web}}, portLevelMtls: {http: {mode: STRICT}}}\n`,
    fix: 'Use the number of the port as the key.',
  },
  PST0130: {
    example: rule('trafficPolicy: {tunnel: {protocol: CONNECT, targetHost: x.example.com, targetPort: 443}}'),
    fix: 'Nothing has to be fixed in the file; `postern deviations` and docs/fields.md say what is not emulated.',
  },
  PST0131: { example: MESH('accessLogFiel: /dev/stdout'), fix: 'Correct the name of the field.' },
  PST0132: { example: MESH('- a list'), fix: 'Write the fields of MeshConfig as a map.' },
  PST0133: {
    example: istio(
      'ServiceEntry',
      '{name: db}',
      'hosts: [db.example.com]\nports: [{number: 443, name: a, protocol: TLS}]\nendpoints: [{address: 10.0.0.1}]',
    ),
    fix: 'The rule says what goes together and what does not.',
  },
  PST0134: {
    example: istio(
      'ServiceEntry',
      '{name: db}',
      'hosts: [db.example.com]\nports: [{number: 443, name: a, protocol: TLS}, {number: 444, name: a, protocol: TLS}]\nresolution: DNS',
    ),
    fix: 'Give each item its own key.',
  },
  PST0135: {
    example: kubernetes(
      'Deployment',
      '{name: gateway, namespace: istio-system}',
      'spec: {template: {metadata: {labels: {istio: ingressgateway}, annotations: {proxy.istio.io/config: "concurrency: 2"}}}}',
    ),
    fix: 'Put these settings under `defaultConfig` in the file of --mesh-config.',
  },
  PST1201: {
    example: rule('trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, httpHeaderName: x-user}}}'),
    fix: 'The lines beside it say what is wrong.',
  },
  PST1202: { example: EDGE.replace('number: 80', 'number: "80"'), fix: 'Mend the other errors of the object first.' },
  PST1203: {
    example: istio('WorkloadEntry', '{name: vm}', `address: ${'a'.repeat(257)}`),
    fix: 'Shorten the text.',
  },
  PST1204: {
    example: kubernetes('Service', '{name: web}', 'spec: {ports: [{port: 0}]}'),
    fix: 'The message says which form or range the API server asks for.',
  },
  PST1205: {
    shownBy: 'postern analyze --max-input 1Ki FILE',
    fix: 'Split the file, or raise the limit with --max-input.',
  },
  PST1206: {
    example: EDGE.replace('{name: edge}', '{name: edge, annotations: {istio.io/dry-run: "true"}}'),
    fix: 'Remove the annotation, or mend the value that istiod cannot decode.',
  },
};
