// Pages of the codes that are Istio's.
import {
  type CodePages,
  documents,
  EDGE,
  gateway,
  HTTPS_SERVER,
  istio,
  kubernetes,
  service,
  TO_WEB,
  virtualService,
} from './page.js';

const security = (kind: string, spec: string): string =>
  `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: p, namespace: default}\nspec: ${spec}\n`;

const entry = (name: string, spec: string): string =>
  istio('ServiceEntry', `{name: ${name}}`, `hosts: [db.example.com]\nresolution: DNS\n${spec}`);

const envoyFilter = (name: string, patch: string): string =>
  `apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: ${name}}\nspec:\n  configPatches:\n  - ${patch}\n`;

const deployment: string = kubernetes(
  'Deployment',
  '{name: web, namespace: default}',
  `spec:
  template:
    metadata: {labels: {app: web}, annotations: {sidecar.istio.io/inject: "true"}}
    spec: {containers: [{name: web}]}`,
);

export const ISTIO_PAGES: CodePages = {
  IST0002: {
    example: virtualService(
      'http:\n- fault: {delay: {percent: 10, fixedDelay: 1s}}\n  route: [{destination: {host: web}}]',
    ),
    fix: 'Write the field that the message names instead.',
  },
  IST0101: {
    example: virtualService(`http:\n${TO_WEB}`),
    fix: 'Correct the name, add the namespace (`NAMESPACE/NAME` for a Gateway, the full name for a service), or add the missing object to the files.',
  },
  IST0102: {
    example: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n',
    fix: 'Label the namespace one way or the other, as the message says.',
  },
  IST0103: {
    example: documents(
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}\n',
      kubernetes('Pod', '{name: web-1, namespace: shop}', 'spec: {containers: [{name: web}]}'),
    ),
    fix: 'Restart the workload, so that the Pod is made anew with its sidecar.',
  },
  IST0106: {
    example: gateway(
      '- port: {number: 443, name: https, protocol: HTTPS}\n  hosts: [shop.example.com]\n  tls: {mode: SIMPLE}',
    ),
    fix: 'The text says what is wrong; until then nobody can create or change the object in a cluster.',
  },
  IST0107: {
    example: kubernetes(
      'Pod',
      '{name: web, annotations: {networking.istio.io/exportTo: "*"}}',
      'spec: {containers: [{name: web}]}',
    ),
    fix: 'Move the annotation to an object of the kind that the message names.',
  },
  IST0108: {
    example: kubernetes(
      'Service',
      '{name: web, annotations: {networking.istio.io/exprotTo: "."}}',
      'spec: {ports: [{name: http, port: 80}]}',
    ),
    fix: 'Correct the spelling, or remove the annotation.',
  },
  IST0109: {
    example: documents(
      istio('VirtualService', '{name: a}', `hosts: [web]\nhttp:\n${TO_WEB}`),
      istio('VirtualService', '{name: b}', `hosts: [web]\nhttp:\n${TO_WEB}`),
      service('web'),
    ),
    fix: 'Merge the VirtualServices into one, or bind one of them to a Gateway only.',
  },
  IST0110: {
    example: documents(
      istio('Sidecar', '{name: a}', 'workloadSelector: {labels: {app: web}}\negress: [{hosts: ["./*"]}]'),
      istio('Sidecar', '{name: b}', 'workloadSelector: {labels: {app: web}}\negress: [{hosts: ["./*"]}]'),
      kubernetes('Pod', '{name: web-1, labels: {app: web}}', 'spec: {containers: [{name: web}]}'),
    ),
    fix: 'Let each Pod be selected by one Sidecar.',
  },
  IST0111: {
    example: documents(
      istio('Sidecar', '{name: a}', 'egress: [{hosts: ["./*"]}]'),
      istio('Sidecar', '{name: b}', 'egress: [{hosts: ["./*"]}]'),
    ),
    fix: 'Keep one Sidecar without a selector in a namespace.',
  },
  IST0112: {
    example: documents(
      EDGE,
      virtualService(`http:\n${TO_WEB}`),
      kubernetes('Service', '{name: web}', 'spec: {ports: [{name: http, port: 80}, {name: http-admin, port: 9000}]}'),
    ),
    fix: 'Add `port: {number: …}` to the destination.',
  },
  IST0116: {
    example: documents(
      deployment,
      kubernetes(
        'Service',
        '{name: a}',
        'spec: {selector: {app: web}, ports: [{name: http, port: 80, protocol: TCP}]}',
      ),
      kubernetes('Service', '{name: b}', 'spec: {selector: {app: web}, ports: [{name: dns, port: 80, protocol: UDP}]}'),
    ),
    fix: 'Give the two protocols different port numbers.',
  },
  IST0118: {
    example: kubernetes('Service', '{name: web}', 'spec: {ports: [{name: web, port: 8000}]}'),
    fix: 'Name the port `http`, `http-web`, `tcp-db` and the like, or set `appProtocol`.',
  },
  IST0123: {
    example:
      'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled, istio.io/rev: canary}}\n',
    fix: 'Keep one of the two labels.',
  },
  IST0125: {
    example: kubernetes(
      'Pod',
      '{name: web, annotations: {sidecar.istio.io/proxyCPU: lots}}',
      'spec: {containers: [{name: web}]}',
    ),
    fix: 'Write a value of the form that the message asks for.',
  },
  IST0127: {
    example: security('AuthorizationPolicy', '{selector: {matchLabels: {app: nobody}}, rules: [{}]}'),
    fix: 'Correct the labels of the selector, or add the workload to the files.',
  },
  IST0128: {
    example: istio('DestinationRule', '{name: db}', 'host: db.example.com\ntrafficPolicy: {tls: {mode: SIMPLE}}'),
    fix: 'Set `caCertificates` to the file of the CA (or `credentialName` together with a workloadSelector).',
  },
  IST0129: {
    example: istio(
      'DestinationRule',
      '{name: db}',
      'host: db.example.com\ntrafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: SIMPLE}}]}',
    ),
    fix: 'Set `caCertificates` to the file of the CA (or `credentialName` together with a workloadSelector).',
  },
  IST0130: {
    example: virtualService('http:\n- directResponse: {status: 404}\n- directResponse: {status: 200}'),
    fix: 'Put rules with a match before the one without, and keep one rule without a match, at the end.',
  },
  IST0131: {
    example: virtualService(
      'http:\n- match: [{uri: {prefix: /api}}]\n  directResponse: {status: 200}\n- match: [{uri: {prefix: /api/v2}}]\n  directResponse: {status: 201}\n- directResponse: {status: 404}',
    ),
    fix: 'Put the longer prefix first, or remove the match that is there twice.',
  },
  IST0132: {
    example: documents(
      EDGE,
      virtualService('http:\n- directResponse: {status: 200}').replace('shop.example.com', 'blog.example.com'),
    ),
    fix: 'Add the host to a server of the Gateway, or bind the VirtualService to the Gateway that has it.',
  },
  IST0133: {
    example: gateway(
      '- port: {number: 443, name: tls, protocol: TLS}\n  hosts: [shop.example.com]\n  tls: {mode: PASSTHROUGH, httpsRedirect: true}',
    ),
    fix: 'The object is accepted; the text says what has no effect or will not last.',
  },
  IST0134: {
    example: entry('db', 'ports: [{number: 5432, name: tcp, protocol: TCP}]'),
    fix: 'Add `addresses`, or let Istio allocate them (ISTIO_META_DNS_AUTO_ALLOCATE).',
  },
  IST0135: {
    example: kubernetes(
      'Pod',
      '{name: web, annotations: {sidecar.istio.io/inject: "true"}}',
      'spec: {containers: [{name: web}]}',
    ),
    fix: 'Use the label that replaces it.',
  },
  IST0137: {
    example: documents(
      deployment,
      kubernetes(
        'Service',
        '{name: a}',
        'spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}',
      ),
      kubernetes(
        'Service',
        '{name: b}',
        'spec: {selector: {app: web}, ports: [{name: http, port: 81, targetPort: 8080}]}',
      ),
    ),
    fix: 'Let Services for one port of a workload have the same port number.',
  },
  IST0138: {
    example: documents(
      gateway(HTTPS_SERVER, '{name: a}'),
      gateway(HTTPS_SERVER.replace('shop.', 'blog.'), '{name: b}'),
    ),
    fix: 'Put all hosts of one certificate into one Gateway server, or give each Gateway a certificate of its own.',
  },
  IST0140: {
    example: documents(
      EDGE,
      virtualService(`http:\n${TO_WEB}`),
      istio('VirtualService', '{name: web}', 'hosts: [web]\nhttp:\n- route: [{destination: {host: web, subset: v1}}]'),
      istio('DestinationRule', '{name: web}', 'host: web\nsubsets: [{name: v1}]'),
      service('web'),
    ),
    fix: 'Name the subset in the VirtualService of the gateway: rules for the mesh do not apply there.',
  },
  IST0145: {
    example: documents(EDGE, EDGE.replace('edge', 'other')),
    fix: 'Let one Gateway have the host on that port, and bind the other VirtualServices to it.',
  },
  IST0149: {
    example: documents(
      EDGE,
      virtualService(
        'http:\n- match: [{headers: {"@request.auth.claims.group": {exact: admin}}}]\n  directResponse: {status: 200}',
      ),
    ),
    fix: 'Add a RequestAuthentication that selects the gateway.',
  },
  IST0150: {
    example: kubernetes(
      'Service',
      '{name: ext}',
      'spec: {type: ExternalName, externalName: www.example.com, ports: [{name: tcp, port: 443}]}',
    ),
    fix: 'Name the port after its protocol: `http`, `tls`, …',
  },
  IST0151: {
    example: envoyFilter(
      'f',
      'applyTo: HTTP_FILTER\n    match: {context: GATEWAY}\n    patch: {operation: INSERT_BEFORE, value: {name: x}}',
    ),
    fix: 'Set `priority`, or use INSERT_FIRST or ADD.',
  },
  IST0152: {
    example: envoyFilter(
      'f',
      'applyTo: CLUSTER\n    match: {context: GATEWAY}\n    patch: {operation: REPLACE, value: {name: x}}',
    ),
    fix: 'Use MERGE, or REMOVE and ADD.',
  },
  IST0153: {
    example: envoyFilter(
      'f',
      'applyTo: HTTP_ROUTE\n    match: {context: GATEWAY}\n    patch: {operation: ADD, value: {name: x}}',
    ),
    fix: 'Use INSERT_FIRST, INSERT_BEFORE or INSERT_AFTER for routes.',
  },
  IST0154: {
    example: envoyFilter('f', 'applyTo: HTTP_ROUTE\n    match: {context: GATEWAY}\n    patch: {operation: REMOVE}'),
    fix: 'Change the VirtualService that makes the route.',
  },
  IST0155: {
    example: documents(
      envoyFilter(
        'a',
        'applyTo: HTTP_FILTER\n    match: {context: GATEWAY, proxy: {proxyVersion: "1\\\\.2.*"}}\n    patch: {operation: INSERT_FIRST, value: {name: x}}',
      ),
      envoyFilter(
        'b',
        'applyTo: HTTP_FILTER\n    match: {context: GATEWAY}\n    patch: {operation: INSERT_BEFORE, value: {name: x}}',
      ),
    ),
    fix: 'Set `priority`, or use INSERT_FIRST or ADD.',
  },
  IST0161: {
    example: documents(
      gateway(HTTPS_SERVER),
      'apiVersion: v1\nkind: Secret\nmetadata: {name: shop-tls, namespace: istio-system}\ndata: {tls.crt: aGVsbG8=, tls.key: aGVsbG8=}\n',
    ),
    fix: 'Put a certificate that is valid now, and its key, into the Secret as PEM (`tls.crt`, `tls.key`).',
  },
  IST0162: {
    example: gateway('- port: {number: 8443, name: http, protocol: HTTP}\n  hosts: [shop.example.com]'),
    fix: 'Add the port to the Service of the gateway, or use one that it has.',
  },
  IST0165: {
    example: virtualService('http:\n- directResponse: {status: 200}').replace(
      '[edge]',
      '[default/x~istio-autogenerated-k8s-gateway~http]',
    ),
    fix: 'Bind the VirtualService to a Gateway of your own.',
  },
  IST0171: {
    example: `${entry('db', 'ports: [{number: 443, name: tls, protocol: TLS}]')}status:\n  conditions:\n  - {type: istio.io/WaypointBound, status: "False", reason: NotFound, message: no such waypoint}\n`,
    fix: 'The condition says what a controller could not do. Files for analysis need no status.',
  },
  IST0173: {
    example: documents(
      service('web'),
      istio('DestinationRule', '{name: web}', 'host: web\nsubsets: [{name: v9, labels: {version: v9}}]'),
    ),
    fix: 'Correct the labels, remove the subset, or add the Pods to the files.',
  },
  IST0174: {
    example: istio('DestinationRule', '{name: gone}', 'host: gone'),
    fix: 'Correct the host (a name without a dot is a Service in the namespace of the rule), or remove the rule.',
  },
  IST0177: {
    example: documents(
      entry('a', 'ports: [{number: 443, name: https, protocol: HTTPS}]'),
      entry('b', 'ports: [{number: 443, name: http, protocol: HTTP}]'),
    ),
    fix: 'Give the port the same protocol everywhere.',
  },
};
