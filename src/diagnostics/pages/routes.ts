// Pages of PST03xx: VirtualServices and route tables.
import { type CodePages, documents, EDGE, gateway, istio, service, TO_WEB, virtualService } from './page.js';

const REPLY = 'directResponse: {status: 200}';
const http = (rule: string): string => documents(EDGE, virtualService(`http:\n- ${rule}`), service('web'));

export const ROUTE_PAGES: CodePages = {
  PST0301: { example: http('delegate: {name: nobody}'), fix: 'Correct name and namespace of the delegate.' },
  PST0302: {
    example: documents(
      EDGE,
      virtualService('http:\n- delegate: {name: hidden, namespace: team}'),
      istio('VirtualService', '{name: hidden, namespace: team}', `exportTo: ["."]\nhttp:\n- ${REPLY}`),
    ),
    fix: 'Export the delegate to the namespace of the VirtualService that names it.',
  },
  PST0303: {
    example: documents(
      EDGE,
      virtualService('http:\n- match: [{uri: {prefix: /a}}]\n  delegate: {name: child}'),
      istio('VirtualService', '{name: child}', `http:\n- match: [{uri: {prefix: /b}}]\n  ${REPLY}`),
    ),
    fix: 'Let the matches of the delegate be narrower than those of the rule that delegates.',
  },
  PST0304: {
    example: documents(
      EDGE,
      virtualService(`http:\n- ${REPLY}`).replace('[shop.example.com]', '[shop.example.com, blog.example.com]'),
    ),
    fix: 'Add the host to a server of the Gateway; mind `namespace/host` there.',
  },
  PST0305: {
    example: http(REPLY).replace('  gateways: [edge]', '  exportTo: ["."]\n  gateways: [edge]'),
    fix: 'Export the VirtualService to the namespace in which the gateway runs.',
  },
  PST0306: {
    example: virtualService(`http:\n- ${REPLY}`),
    shownAs: 'IST0101',
    fix: 'Write NAMESPACE/NAME of a Gateway that exists.',
  },
  PST0307: {
    example: http(`match: [{port: 8080}]\n  ${REPLY}`),
    fix: 'Compare with the number that the Gateway server has, and with Gateways that the VirtualService is bound to.',
  },
  PST0308: {
    example: http(`match: [{gateways: [edge], sourceLabels: {app: ui}}]\n  ${REPLY}`),
    fix: 'Remove the field; on a gateway nobody has labels.',
  },
  PST0309: {
    example: http(`match: [{headers: {"@request.auth.claims.group": {exact: admin}}}]\n  ${REPLY}`),
    shownAs: 'IST0149',
    fix: 'Test such rules with a header instead.',
  },
  PST0310: {
    example: http(
      'route: [{destination: {host: web}}]\n  mirrors: [{destination: {host: web}}]\n  mirrorPercentage: {value: 5}',
    ),
    fix: 'Write `percentage` into each item of `mirrors`.',
  },
  PST0311: {
    example: http('fault: {abort: {httpStatus: 500}}\n  route: [{destination: {host: web}}]'),
    fix: 'Write `percentage: {value: 100}`.',
  },
  PST0312: { example: http(`timeout: 1s\n  ${REPLY}`), fix: 'Remove the fields.' },
  PST0313: {
    example: http('headers: {request: {set: {x-id: "%FOO%"}}}\n  route: [{destination: {host: web}}]'),
    fix: 'Correct the %OPERATOR%, or write %% for a percent sign.',
  },
  PST0314: {
    example: http(`match: [{uri: {regex: "${'[a-z]{1000}'.repeat(20)}"}}]\n  ${REPLY}`),
    fix: 'Use a shorter pattern; large repetition counts are what makes it large.',
  },
  PST0315: { example: EDGE, fix: 'Bind a VirtualService to the hosts of this port.' },
  PST0316: {
    example: gateway(
      '- port: {number: 80, name: http, protocol: HTTP}\n  hosts: [apps/shop.example.com]\n  tls: {httpsRedirect: true}',
    ),
    fix: 'Bind a VirtualService, or write the host without a namespace.',
  },
  PST0317: {
    example: documents(
      gateway(
        '- port: {number: 443, name: tls, protocol: TLS}\n  hosts: [shop.example.com]\n  tls: {mode: PASSTHROUGH}',
      ),
      virtualService(`http:\n${TO_WEB}`),
      service('web'),
    ),
    fix: 'Use the section that the server reads: http, tls or tcp.',
  },
  PST0318: {
    example: http('rewrite: {uriRegexRewrite: {match: a, rewrite: "\\\\1"}}\n  route: [{destination: {host: web}}]'),
    fix: 'Use groups that the pattern has, and \\\\ for a backslash.',
  },
};
