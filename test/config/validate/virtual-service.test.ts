// VirtualService: spec validation.md §2 (headers, patterns, references), §4.
import t from 'tap';
import { checkRows, said } from './support.js';

const ROUTE = 'route: [{destination: {host: web}}]';
const RULES = `http: [{${ROUTE}}]`;
const label = (domain: string, part: string): string => `domain name "${domain}" invalid (label "${part}" invalid)`;

checkRows('hosts and gateways', 'VirtualService', (fields) => `{${fields}, ${RULES}}`, [
  ['hosts: ["*"], gateways: [gw]'],
  ['hosts: ["*"]', 'wildcard host * is not allowed for virtual services bound to the mesh gateway'],
  [
    'hosts: ["*"], gateways: [gw, mesh]',
    'wildcard host * is not allowed for virtual services bound to the mesh gateway',
  ],
  ['hosts: [web, "*foo.com", 1.2.3.4, "2001:db8::1", UPPER.test]'],
  ['hosts: [a_b]', label('a_b', 'a_b')],
  ['hosts: ["*.foo.com", a.foo.com], gateways: [g]', 'duplicate hosts in virtual service: *.foo.com & a.foo.com'],
  ['hosts: ["*", x.test], gateways: [g]', 'duplicate hosts in virtual service: * & x.test'],
  ['hosts: [a.test, b.test, a.test, A.test]', 'duplicate hosts in virtual service: a.test & a.test'],
  [
    'hosts: ["*.a.test", "*.test", b.a.test]',
    'duplicate hosts in virtual service: *.a.test & *.test',
    'duplicate hosts in virtual service: *.a.test & b.a.test',
    'duplicate hosts in virtual service: *.test & b.a.test',
  ],
  ['hosts: [a_b, a.test, a.test]', label('a_b', 'a_b')],
  ['hosts: [outbound_.80_._.a.test], gateways: [g]', label('outbound_.80_._.a.test', 'outbound_')],
  [
    'hosts: [a.test], gateways: [ns/]',
    'config namespace and gateway name cannot be empty',
    'invalid value for gateway name: ""',
  ],
  [
    'hosts: [a.test], gateways: [/gw]',
    'config namespace and gateway name cannot be empty',
    'invalid value for namespace: ""',
  ],
  ['hosts: [a.test], gateways: [gw1, "Bad_Name/x"]'],
  ['hosts: [a.test], gateways: ["Bad_Name/x", gw]', 'invalid value for namespace: "Bad_Name"'],
  ['hosts: [a.test], gateways: [a_b]', label('a_b', 'a_b')],
  [
    'hosts: [a.test], gateways: [gw.ns]',
    'W using legacy gatewayName format "gw.ns"; prefer the <namespace>/<name> format: "ns/gw"',
  ],
  ['gateways: [gw]', 'delegate virtual service must have no gateways specified'],
  [
    'tls: [{match: [{sniHosts: [a]}], route: [{destination: {host: a}}]}], tcp: [{route: [{destination: {host: a}}]}]',
    'delegate virtual service must have no tls route specified',
    'delegate virtual service must have no tcp route specified',
    'SNI host "a" is not a compatible subset of any of the virtual service hosts: []',
  ],
  ['hosts: [a.test], exportTo: [".", default]', 'duplicate entries in exportTo for entry default'],
  ['hosts: [a.test], exportTo: [default, "."]', 'duplicate entries in exportTo: . and current namespace default'],
  ['hosts: [a.test], exportTo: [a, b]'],
  ['hosts: [a.test], exportTo: ["*"]'],
  ['hosts: [a.test], exportTo: ["~"]', 'exportTo ~ (none) is not allowed for Istio configuration objects'],
]);
t.test('without rules', async (t) => {
  t.same(said('VirtualService', '{hosts: [a.test]}'), ['http, tcp or tls must be provided in virtual service']);
});

const http = (fields: string): string => `{hosts: [a.test], gateways: [g], http: [{${fields}}]}`;
checkRows('what excludes each other', 'VirtualService', http, [
  ['name: a', 'HTTP route, redirect or direct_response is required'],
  [
    `${ROUTE}, redirect: {uri: /}, fault: {delay: {fixedDelay: 1s}}, rewrite: {uri: /}, directResponse: {status: 200}`,
    'HTTP route cannot contain both route and redirect',
    'HTTP route cannot contain both fault and redirect',
    'HTTP route rule cannot contain both rewrite and redirect',
    'HTTP route rule cannot contain both direct_response and redirect',
  ],
  [
    `${ROUTE}, directResponse: {status: 200}, fault: {delay: {fixedDelay: 1s}}, rewrite: {uri: /}`,
    'HTTP route cannot contain both route and direct_response',
    'HTTP route cannot contain both fault and direct_response',
    'HTTP route rule cannot contain both rewrite and direct_response',
  ],
  [
    `${ROUTE}, mirror: {host: a}, mirrors: [{destination: {host: b}}]`,
    'HTTP route cannot contain both mirror and mirrors',
  ],
  [
    `delegate: {name: d}, ${ROUTE}, redirect: {uri: /}`,
    'root HTTP route  must not specify redirect',
    'root HTTP route  must not specify route',
  ],
  ['delegate: {name: d}, directResponse: {status: 200}, rewrite: {uri: /}'],
]);
t.test('a delegate delegates no further', async (t) => {
  t.same(said('VirtualService', '{http: [{delegate: {name: d}}]}'), [
    'delegate HTTP route cannot contain delegate',
    'HTTP route, redirect or direct_response is required',
  ]);
});

const RE2 = 'Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)';
const regex = (reason: string): string => `error parsing regexp: ${reason}; ${RE2}`;
checkRows('matches', 'VirtualService', (match) => http(`match: [${match}], ${ROUTE}`), [
  ['{uri: {prefix: ""}}'],
  ['{uri: {exact: ""}, scheme: {}, method: {exact: ""}}'],
  ['{scheme: {prefix: ""}}', '"scheme": prefix string match should not be empty'],
  ['{authority: {regex: ""}}', '"authority": regex string match should not be empty'],
  ['{uri: {regex: ""}}', '"uri": regex string match should not be empty'],
  ['{uri: {regex: "/a(?=b)"}}', `"uri": ${regex('invalid or unsupported Perl syntax: `(?=`')}`],
  ['{uri: {regex: "["}}', `"uri": ${regex('missing closing ]: `[`')}`],
  ['{uri: {regex: "a(b"}}', `"uri": ${regex('missing closing ): `a(b`')}`],
  ['{uri: {regex: "a)b"}}', `"uri": ${regex('unexpected ): `a)b`')}`],
  ['{uri: {regex: "*a"}}', `"uri": ${regex('missing argument to repetition operator: `*`')}`],
  ['{uri: {regex: "a**"}}', `"uri": ${regex('invalid nested repetition operator: `**`')}`],
  ['{uri: {regex: "a{1001}"}}', `"uri": ${regex('invalid repeat count: `{1001}`')}`],
  ['{uri: {regex: "(a)\\\\1"}}', `"uri": ${regex('invalid escape sequence: `\\1`')}`],
  ['{uri: {regex: "[z-a]"}}', `"uri": ${regex('invalid character class range: `z-a`')}`],
  ['{uri: {regex: "a\\\\"}}', `"uri": ${regex('trailing backslash at end of expression: ``')}`],
  [`{uri: {regex: "${'a'.repeat(1025)}"}}`, '"uri": regex is too large, max length allowed is 1024'],
  [`{uri: {regex: "${'a'.repeat(1024)}"}}`],
  ['{headers: {"x y": {exact: a}}}', 'header name x y is not a valid header name'],
  ['{headers: {"": {exact: a}}}', 'header name cannot be empty'],
  ['{headers: {":method": {exact: a}, "a,b": {exact: a}, "@request.auth.claims[x]": {exact: a}}}'],
  ['{headers: {":other": {exact: a}}}', 'header name :other is not a valid header name'],
  ['{headers: {x: {regex: "*"}}}', `"headers": ${regex('missing argument to repetition operator: `*`')}`],
  ['{withoutHeaders: {x: {regex: "*"}}}'],
  [
    '{withoutHeaders: {x: {regex: "**"}}}',
    `"withoutHeaders": ${regex('missing argument to repetition operator: `*`')}`,
  ],
  ['{queryParams: {"a b": {prefix: ""}}}', '"queryParams": prefix string match should not be empty'],
  ['{port: 70000}', 'port number 70000 must be in the range 1..65535'],
  ['{sourceNamespace: a_b}', 'sourceNamespace match a_b is invalid'],
  ['{gateways: [a.b]}'],
  ['{gateways: ["a_b/c"]}', 'invalid value for namespace: "a_b"'],
]);
checkRows('labels', 'VirtualService', (labels) => http(`match: [{sourceLabels: ${labels}}], ${ROUTE}`), [
  ['{app: web, "example.com/app_x": "", a.b: c-d}'],
  ['{"-a": b}', 'invalid tag key: "-a"'],
  ['{"Example.com/a": b}', 'invalid tag key: "Example.com/a"'],
  ['{a: "b c"}', 'invalid tag value: "b c"'],
  [`{${'a'.repeat(64)}: b}`, `invalid tag key: "${'a'.repeat(64)}" (name is too long)`],
]);

checkRows('headers', 'VirtualService', (operations) => http(`${ROUTE}, headers: ${operations}`), [
  ['{request: {set: {Host: a, x y: b}, add: {a: "%REQ(X?Y)%"}, remove: [x]}}'],
  ['{request: {set: {":path": a}}}', 'invalid header ":path": header cannot have ":" prefix'],
  ['{request: {set: {"": a}}}', 'header name cannot be empty'],
  [
    '{request: {remove: [HOST, ":x", ""]}}',
    'invalid header "HOST": cannot set Host header',
    'invalid header ":x": header cannot have ":" prefix',
    'header name cannot be empty',
  ],
  ['{response: {add: {host: a}}}', 'invalid header "host": cannot set Host header'],
  ['{response: {set: {x: "a\\u0001"}}}', 'header value configuration a\u0001 is invalid'],
  ['{response: {set: {x: "a\\tb 100%%"}}}'],
]);
const value = (detail: string): string => `header value configuration: invalid header configuration. ${detail}`;
checkRows('header values', 'VirtualService', (text) => http(`${ROUTE}, headers: {request: {set: {x: '${text}'}}}`), [
  ['100%%'],
  ['%FOO%'],
  ['%START_TIME%%', value('Un-escaped %')],
  ['abc%123', value("Un-terminated variable expression 'abc%123'").replace("'abc", "'abc")],
  ['%DYNAMIC_METADATA(com.test.my_filter)%'],
  ['%UPSTREAM_METADATA(["a", "b"])%'],
  ['%UPSTREAM_METADATA([a])%', value("Expecting '\"'")],
  ['%UPSTREAM_METADATA(["a" b])%', value("Expecting ',', ']', or whitespace")],
  ['%UPSTREAM_METADATA(["a"] x)%', value("Expecting ')' or whitespace after '{}', but found '{}'")],
  ['%REQ(x) y%', value("Expecting '%' or whitespace after")],
  ['%UPSTREAM_METADATA(["a\\', value('Un-terminated backslash in JSON string')],
]);

const GRPC =
  "See https://github.com/grpc/grpc/blob/master/doc/statuscodes.md for a list of supported codes, for example 'NOT_FOUND'";
const PERCENT = 'is neither 0.0, nor in range [0.0001, 100.0]';
checkRows('faults, cors, retries', 'VirtualService', (fields) => http(`${ROUTE}, ${fields}`), [
  ['fault: {}', 'HTTP fault injection must have an abort and/or a delay'],
  ['fault: {abort: {}}'],
  ['fault: {abort: {httpStatus: 600}}'],
  ['fault: {abort: {httpStatus: 601}}', 'HTTP status 601 is not in range 200-599'],
  ['fault: {abort: {grpcStatus: NOPE}}', `gRPC status "NOPE" is not supported. ${GRPC}`],
  ['fault: {abort: {http2Error: a}}', 'HTTP/2 abort fault injection not supported yet'],
  ['fault: {abort: {httpStatus: 500, percentage: {value: 100.1}}}', `percentage 100.1 ${PERCENT}`],
  ['fault: {abort: {httpStatus: 500, percentage: {value: 0.00001}}}', `percentage 1e-05 ${PERCENT}`],
  ['fault: {delay: {}}'],
  ['fault: {delay: {fixedDelay: 1500us}}', 'only durations to ms precision are supported'],
  ['fault: {delay: {exponentialDelay: 1s}}', 'exponentialDelay not supported yet'],
  ['corsPolicy: {allowOrigins: [{exact: ""}]}', "'' is not a valid match type for CORS allow origins"],
  ['corsPolicy: {allowOrigins: [{regex: "("}]}', `"corsPolicy.allowOrigins": ${regex('missing closing ): `(`')}`],
  ['corsPolicy: {allowMethods: ["*", TRACE, get]}', '"get" is not a supported HTTP method'],
  ['corsPolicy: {allowHeaders: ["*", x-a], exposeHeaders: ["a b"]}', 'header name a b is not a valid header name'],
  ['corsPolicy: {maxAge: 1500ms}', 'max_age duration is accurate only to seconds precision'],
  ['corsPolicy: {maxAge: 24h}'],
  ['retries: {}'],
  ['retries: {attempts: -1}', 'attempts cannot be negative'],
  ['retries: {retryRemoteLocalities: false}', 'http retry policy configured when attempts are set to 0 (disabled)'],
  ['retries: {attempts: 2, retryOn: "503,unavailable,reset-before-request"}'],
  [
    'retries: {attempts: 2, retryOn: "306,,x"}',
    '"306" is not a valid retryOn policy',
    '"" is not a valid retryOn policy',
    '"x" is not a valid retryOn policy',
  ],
  [
    'retries: {attempts: 2, perTryTimeout: 0s, backoff: -1s}',
    'duration must be greater than 1ms',
    'duration must be greater than 1ms',
  ],
  ['timeout: 0s', 'duration must be greater than 1ms'],
  ['timeout: 1ms'],
]);

checkRows('redirects, rewrites, answers', 'VirtualService', http, [
  ['redirect: {port: 0}'],
  ['redirect: {derivePort: FROM_REQUEST_PORT}'],
  ['redirect: {redirectCode: 301}', 'redirect must specify URI, authority, scheme, or port'],
  [
    'redirect: {uri: /a, prefixRewrite: /b, redirectCode: 200}',
    'redirect may only specify one of uri or prefix_rewrite',
  ],
  ['redirect: {prefixRewrite: /b}, match: [{uri: {prefix: /a}}, {port: 80}]'],
  [
    'redirect: {prefixRewrite: /b}, match: [{uri: {exact: /a}}]',
    'redirect prefix_rewrite requires all URI matches to use prefix match type',
  ],
  ['redirect: {uri: /, redirectCode: 400}', '400 is not a valid redirect code, must be 3xx'],
  ['redirect: {scheme: HTTP}', 'invalid redirect scheme, must be "http" or "https"'],
  ['redirect: {port: 70000}', 'port number 70000 must be in the range 1..65535'],
  ['directResponse: {status: 200, body: {string: ok}}'],
  ['directResponse: {status: 199}', 'HTTP status 199 is not in range 200-599'],
  [
    `directResponse: {status: 200, body: {string: "${'x'.repeat(102_401)}"}}`,
    'W large direct_responses may impact control plane performance',
  ],
  [
    `directResponse: {status: 200, body: {string: "${'é'.repeat(530_000)}"}}`,
    'large direct_responses may impact control plane performance, must be less than 1MB',
  ],
  [`directResponse: {status: 200, body: {bytes: "${'QUFB'.repeat(34_000)}"}}`],
  [
    `${ROUTE}, rewrite: {}`,
    'rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or UriRegexRewrite may be specified',
  ],
  [
    `${ROUTE}, rewrite: {uriRegexRewrite: {match: a}}`,
    'UriRegexRewrite has errors\nUriRegexRewrite requires both Rewrite and Match fields to be specified',
  ],
  [
    `${ROUTE}, rewrite: {uriRegexRewrite: {match: "(", rewrite: b}}`,
    `UriRegexRewrite has errors\n"HTTPRewrite.UriRegexRewrite.Match": ${regex('missing closing ): `(`')}`,
  ],
  [
    `${ROUTE}, headers: {request: {set: {host: a}, add: {":AUTHORITY": b}}}`,
    'authority header cannot be set multiple times: have "a", attempting to set "b"',
  ],
]);

checkRows('destinations and mirrors', 'VirtualService', http, [
  ['route: [{}]', 'destination is required'],
  ['route: [{destination: {host: "*"}}]', 'invalid destination host *'],
  [
    'route: [{destination: {host: 10.0.0.1}}]',
    'domain name "0.0.1" invalid (top level domain "1" cannot be all-numeric)',
  ],
  ['route: [{destination: {host: "*.foo.com"}}]'],
  ['route: [{destination: {host: 123}}]'],
  ['route: [{destination: {host: foo.b_r.com}}]', label('b_r.com', 'b_r')],
  ['route: [{destination: {host: a, subset: a_b}}]', 'subset name is invalid: a_b'],
  ['route: [{destination: {host: a, port: {}}}]', 'port number 0 must be in the range 1..65535'],
  ['route: [{destination: {host: a}, weight: 75}, {destination: {host: b}, weight: -15}]', 'weight -15 < 0'],
  ['route: [{destination: {host: a}}, {destination: {host: b}}]', 'total destination weight = 0'],
  [`${ROUTE}, mirrors: [{}]`, 'destination is required for mirrors'],
  [
    `${ROUTE}, mirrors: [{destination: {host: a}, percentage: {value: 120}}]`,
    'mirror percentage must have a max value of 100 (it has 120.000000)',
  ],
  [`${ROUTE}, mirrorPercentage: {value: -0.5}`, 'mirror_percentage must have a min value of 0 (it has -0.500000)'],
  [
    `${ROUTE}, mirrorPercent: 101`,
    'mirror_percent must have a max value of 100 (it has 101)',
    'W using deprecated setting "mirrorPercent", use "mirrorPercentage" instead',
  ],
]);

const FORMAT = 'outbound_.<PORT>_._.<HOSTNAME>';
checkRows('tls and tcp', 'VirtualService', (fields) => `{hosts: ["*.foo.com"], gateways: [g], ${fields}}`, [
  [`tls: [{${ROUTE}}]`, 'TLS route must have at least one match condition'],
  ['tls: [{match: [{sniHosts: [a.foo.com]}]}]', 'TLS route is required'],
  [`tls: [{match: [{}], ${ROUTE}}]`, 'TLS match must have at least one SNI host'],
  [`tls: [{match: [{sniHosts: ["*.b.foo.com", "*.foo.com"]}], ${ROUTE}}]`],
  [
    `tls: [{match: [{sniHosts: ["*.com"]}], ${ROUTE}}]`,
    'SNI host "*.com" is not a compatible subset of any of the virtual service hosts: [*.foo.com]',
  ],
  [
    `tls: [{match: [{sniHosts: [foo.com]}], ${ROUTE}}]`,
    'SNI host "foo.com" is not a compatible subset of any of the virtual service hosts: [*.foo.com]',
  ],
  [
    `tls: [{match: [{sniHosts: [1.2.3.4]}], ${ROUTE}}]`,
    'W using an IP address ("1.2.3.4") goes against SNI spec and most clients do not support this',
  ],
  [`tls: [{match: [{sniHosts: [outbound_.80_._.a.foo.com]}], ${ROUTE}}]`],
  [
    `tls: [{match: [{sniHosts: [outbound_a]}], ${ROUTE}}]`,
    `domain name outbound_a invalid, should follow '${FORMAT}' format`,
  ],
  [
    `tls: [{match: [{sniHosts: [outbound_.x_._.foo.com]}], ${ROUTE}}]`,
    `domain name "outbound_.x_._.foo.com" invalid (label "x" invalid). should follow ${FORMAT} format`,
  ],
  [
    `tls: [{match: [{sniHosts: [a.foo.com], destinationSubnets: [10.0.0.0/8, 10.0.0.0/08, "::/129", "fe80::%a/64", a]}], ${ROUTE}}]`,
    '10.0.0.0/08 is not a valid CIDR block',
    '::/129 is not a valid CIDR block',
    'fe80::%a/64 is not a valid CIDR block',
    'a is not a valid IP',
  ],
  [
    `tls: [{match: [{sniHosts: [a.foo.com], gateways: [a.b]}], ${ROUTE}}]`,
    'W using legacy gatewayName format "a.b"; prefer the <namespace>/<name> format: "b/a"',
  ],
  ['tcp: [{}]', 'TCP route is required'],
  [`tcp: [{match: [{port: 70000, gateways: [a.b]}], ${ROUTE}}]`, 'port number 70000 must be in the range 1..65535'],
]);
t.test('claims', async (t) => {
  const text = (gateways: string): readonly string[] =>
    said(
      'VirtualService',
      `{hosts: [a.test], gateways: ${gateways}, http: [{match: [{withoutHeaders: {"@Request.auth.claims.a": {}}}], ${ROUTE}}]}`,
    );
  t.same(text('[g]'), []);
  t.same(text('[g, mesh]'), [
    'JWT claim based routing (key: @Request.auth.claims.a) is only supported for gateway, found no gateways: [g mesh]',
  ]);
});

const unused = (rules: string): readonly string[] =>
  said('VirtualService', `{hosts: [a.test], gateways: [g], ${rules}}`);
t.test('rules without effect', async (t) => {
  const rule = (match: string, name = ''): string => `{${name}${match === '' ? '' : `match: ${match}, `}${ROUTE}}`;
  const rules = (...list: readonly string[]): string => `http: [${list.join(', ')}]`;
  t.same(
    unused(
      rules(
        rule('[{uri: {prefix: /api}}]', 'name: a, '),
        rule('[{uri: {prefix: /api/v2}}]'),
        rule(''),
        rule('[{uri: {exact: /late}}]'),
      ),
    ),
    [
      'W virtualService rule #3 not used (route without matches defined before)',
      'W virtualService rule #1 match #0 of prefix /api/v2 is not used (duplicate/overlapping match in rule #0 of prefix /api on "a")',
    ],
    "the specification's worked example",
  );
  t.same(unused(rules(rule(''), rule(''))), [
    'W virtualService rule #1 not used (only the last rule can have no matches)',
  ]);
  t.same(
    unused(
      rules(
        rule('[{name: x, port: 80, uri: {exact: /a}}]'),
        rule('[{uri: {exact: /a}, port: 80, ignoreUriCase: false}]'),
      ),
    ),
    [
      'W virtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0)',
      'W virtualService rule #1 not used (all matches used by prior rules)',
    ],
    'a name, an order and a zero make no difference',
  );
  const covers = (first: string, second: string): boolean =>
    unused(rules(rule(`[{uri: {prefix: /a}, ${first}}]`), rule(`[{uri: {prefix: /a/b}, ${second}}]`))).length > 0;
  t.ok(covers('port: 0', 'method: {exact: GET}'), 'GET is the method of a match without one');
  t.notOk(covers('port: 0', 'method: {exact: POST}'));
  t.notOk(covers('port: 80', 'port: 81'));
  t.ok(covers('authority: {prefix: ab}', 'authority: {prefix: a}'), 'tags as text');
  t.notOk(covers('authority: {prefix: a}', 'authority: {prefix: ab}'));
  t.ok(covers('headers: {x: {exact: a}}', 'headers: {x: {regex: b}}'), 'a pattern is an empty tag');
  t.notOk(covers('headers: {x: {exact: a}}', 'headers: {x: {exact: a}, y: {exact: b}}'));
  t.same(unused(`tcp: [{match: [{port: 1}], ${ROUTE}}, {match: [{port: 1}], ${ROUTE}}]`), [
    'W virtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0)',
    'W virtualService rule #1 not used (all matches used by prior rules)',
  ]);
});
