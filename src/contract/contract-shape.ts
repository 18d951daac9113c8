// What a contract file may contain (spec interface.md §4), as shapes: the decoder's check and the published JSON Schema
// (`config/contract.schema.json`) are both made from this.
import type { FieldShape, ObjectShape, Shape } from './shape.js';

const text: Shape = { kind: 'text' };
const name: Shape = { kind: 'text', pattern: '\\S', about: 'text' };
const boolean: Shape = { kind: 'boolean' };
const scalar: Shape = { kind: 'any', of: [text, { kind: 'number' }, boolean], about: 'text or a number' };

function field(shape: Shape, about: string, required = false): FieldShape {
  return required ? { shape, about, required } : { shape, about };
}

function oneOrMore(of: Shape, about: string): Shape {
  return { kind: 'any', of: [of, { kind: 'list', of, min: 1 }], about: `${about}, or a list of these` };
}

/** Every class of error, in the order of interface §2. */
export const ERROR_CLASSES = [
  'no_listener',
  'no_filter_chain',
  'no_virtual_host',
  'no_route',
  'tls_redirect',
  'protocol_error',
  'tls_error',
  'mtls_error',
  'no_cluster',
  'no_endpoint',
  'upstream_connect',
  'upstream_tls',
  'upstream_reset',
  'timeout',
] as const;

/** Keys of a one-key map that is a matcher. */
export const MATCHERS = [
  'exact',
  'prefix',
  'suffix',
  'contains',
  'regex',
  'present',
  'absent',
  'oneOf',
  'not',
] as const;

const inner: Shape = { kind: 'named', name: 'matcherOrValue', shape: () => matcherOrValue };

const matcher: ObjectShape = {
  kind: 'object',
  single: true,
  fields: {
    exact: field(scalar, 'equal to this'),
    prefix: field(scalar, 'begins with this'),
    suffix: field(scalar, 'ends with this'),
    contains: field(scalar, 'contains this'),
    regex: field(text, 'the whole text matches this RE2 expression'),
    present: field(boolean, 'is there, whatever it is'),
    absent: field(boolean, 'is not there'),
    oneOf: field({ kind: 'list', of: scalar, min: 1 }, 'equal to one of these'),
    not: field(inner, 'the opposite of this'),
  },
};
const matcherOrValue: Shape = {
  kind: 'any',
  of: [scalar, { kind: 'named', name: 'matcher', shape: () => matcher }],
  about: `a value, or a matcher (a map with one of ${MATCHERS.join(', ')})`,
};

function expected(value: Shape, about: string): Shape {
  const one: Shape = {
    kind: 'any',
    of: [value, { kind: 'named', name: 'matcher', shape: () => matcher }],
    about: `${about}, or a matcher (a map with one of ${MATCHERS.join(', ')})`,
  };
  return {
    kind: 'any',
    of: [one, { kind: 'list', of: one, min: 1 }],
    about: `${about}, a matcher (a map with one of ${MATCHERS.join(', ')}), or a list, any of which will do`,
  };
}

const expectedText: Shape = { kind: 'named', name: 'expected', shape: () => expected(scalar, 'a value') };
const expectedHeaders: Shape = { kind: 'map', of: expectedText };

const status: Shape = { kind: 'number', integer: true, min: 100, max: 599 };
const clientNames = oneOrMore(name, 'the name of a client, or none');
const headerValue: Shape = {
  kind: 'any',
  of: [scalar, { kind: 'list', of: scalar, min: 1 }],
  about: 'text, or a list',
};
const headers: Shape = { kind: 'map', of: headerValue };
const versions: Shape = {
  kind: 'words',
  words: ['TLSv1', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3', 'HTTP/1.0', 'HTTP/1.1', 'HTTP/2'],
};

const requestFields: Readonly<Record<string, FieldShape>> = {
  url: field(
    oneOrMore({ kind: 'text', pattern: '^https?://', about: 'a URL (https://host/path)' }, 'a URL (https://host/path)'),
    'scheme, authority and path; the port is that of the server in the Gateway (443 and 80 by default)',
    true,
  ),
  method: field(oneOrMore(name, 'a method'), 'default GET, or POST with a body'),
  headers: field(
    { kind: 'any', of: [headers, { kind: 'list', of: headers, min: 1 }], about: 'a map of headers, or a list of maps' },
    'a list as a value sends the header several times; a list of maps multiplies the test',
  ),
  body: field(oneOrMore(text, 'text'), 'what is sent after the head'),
  client: field(clientNames, 'who presents a certificate: a name under clients, or none'),
  sni: field(oneOrMore(text, 'a host name'), "default: the URL's host; '' = none is sent"),
  alpn: field(
    {
      kind: 'any',
      of: [text, { kind: 'list', of: { kind: 'any', of: [text, { kind: 'list', of: text }], about: 'text' } }],
      about: 'a list of protocols',
    },
    'protocols to offer, [] = none; a list of lists multiplies the test',
  ),
  http2: field(oneOrMore(boolean, 'true or false'), 'HTTP/2, by ALPN or (plaintext) by prior knowledge'),
  tls: field(
    oneOrMore(
      { kind: 'any', of: [boolean, { kind: 'words', words: ['plaintext', 'tls'] }], about: 'true or false' },
      'true or false',
    ),
    'false: no TLS although the URL says https',
  ),
  version: field(
    oneOrMore(versions, `one of ${versions.words.join(', ')}`),
    'the only TLS version to offer, or the HTTP version to speak',
  ),
  repeat: field(
    { kind: 'number', integer: true, min: 1, max: 10_000 },
    'how often the request is made; each answer must be right',
  ),
};

const tlsExpectation: ObjectShape = {
  kind: 'object',
  fields: {
    certificate: field(expectedText, "common name or a DNS name of the server's certificate"),
    version: field(expectedText, 'TLSv1.3'),
    alpn: field(expectedText, 'the protocol that was agreed on'),
    alert: field(expectedText, 'the alert that the gateway sent: unknown_ca'),
  },
};

const presence: ObjectShape = {
  kind: 'object',
  single: true,
  fields: { present: matcher.fields['present'] as FieldShape, absent: matcher.fields['absent'] as FieldShape },
};

const expectation: ObjectShape = {
  kind: 'object',
  fields: {
    status: field(expected(status, 'a status from 100 to 599'), 'status of the answer'),
    headers: field(expectedHeaders, 'headers of the answer'),
    body: field(expectedText, 'body of the answer'),
    route: field(
      {
        kind: 'object',
        fields: Object.fromEntries(
          ['listener', 'filterChain', 'routeConfig', 'virtualHost', 'route', 'cluster', 'endpoint'].map((key) => [
            key,
            field(expectedText, `as in a Decision: ${key}`),
          ]),
        ),
      },
      'what the request was matched with',
    ),
    upstream: field(
      {
        kind: 'any',
        of: [
          presence,
          {
            kind: 'object',
            fields: {
              server: field(expectedText, 'which of the upstreams'),
              protocol: field(
                expected({ kind: 'words', words: ['HTTP/1.1', 'HTTP/2'] }, 'HTTP/1.1 or HTTP/2'),
                'HTTP/1.1 or HTTP/2',
              ),
              method: field(expectedText, 'as it arrived'),
              path: field(expectedText, 'as it arrived, with the query'),
              authority: field(expectedText, 'Host of HTTP/1.1, :authority of HTTP/2'),
              headers: field(expectedHeaders, 'as they arrived'),
              body: field(expectedText, 'as it arrived'),
              tls: field(
                {
                  kind: 'object',
                  fields: Object.fromEntries(
                    ['sni', 'alpn', 'version', 'clientSubject'].map((key) => [
                      key,
                      field(expectedText, `what the upstream saw of the gateway's TLS: ${key}`),
                    ]),
                  ),
                },
                "what the upstream saw of the gateway's TLS",
              ),
            },
          },
        ],
        about: 'a map of what the upstream receives, or { absent: true }',
      },
      'what the upstream received',
    ),
    tls: field(tlsExpectation, 'what the client saw of TLS'),
    error: field(
      expected({ kind: 'words', words: ERROR_CLASSES }, `one of ${ERROR_CLASSES.join(', ')}`),
      'class of the error; { absent: true } = none',
    ),
    flags: field(expectedText, "Envoy's response flags: NR"),
    details: field(expectedText, "Envoy's response code details: route_not_found"),
    location: field(expectedText, 'where a redirect leads'),
    split: field(
      { kind: 'map', of: { kind: 'number', min: 0 }, min: 1 },
      'weight by subset, or by cluster name where there is no subset',
    ),
  },
};

const respond: ObjectShape = {
  kind: 'object',
  fields: {
    status: field(status, 'default 200'),
    headers: field(headers, 'headers of the answer'),
    body: field(text, 'body of the answer'),
    delay: field(
      {
        kind: 'any',
        of: [
          { kind: 'number', min: 0 },
          { kind: 'text', pattern: '^\\d+(\\.\\d+)?(ms|s)$' },
        ],
        about: 'milliseconds, or a duration such as 200ms',
      },
      'before the answer: milliseconds, or a duration such as 200ms',
    ),
    reset: field(boolean, 'resets the connection (HTTP/2: the stream) instead of answering'),
    close: field(boolean, 'closes the connection instead of answering'),
    trailers: field({ kind: 'map', of: scalar }, 'after the body'),
    grpcStatus: field({ kind: 'number', integer: true, min: 0 }, 'answers as a gRPC server with this status'),
  },
};

const labels: Shape = { kind: 'map', of: scalar };

const test: ObjectShape = {
  kind: 'object',
  fields: {
    name: field(name, 'what must be true, in words', true),
    request: field({ kind: 'object', fields: requestFields }, 'what is asked'),
    expect: field(expectation, 'what must come of it; only what is written is compared'),
    connection: field({ kind: 'words', words: ['shared', 'fresh'] }, 'shared: all `requests` go over one connection'),
    requests: field(
      {
        kind: 'list',
        min: 1,
        of: { kind: 'object', fields: { ...requestFields, expect: field(expectation, 'what must come of it', true) } },
      },
      'several requests, one after another; each with its own `expect`',
    ),
    samples: field(
      { kind: 'number', integer: true, min: 10, max: 100_000 },
      'requests for a split in run mode; default 1000',
    ),
    tags: field(oneOrMore(name, 'a word'), 'for --tag'),
    skip: field(name, 'why it is not run'),
    knownBug: field(name, 'it is expected to fail, because of this; passing fails the run'),
  },
};

/** The whole file. */
export const CONTRACT_SHAPE: ObjectShape = {
  kind: 'object',
  fields: {
    contract: field({ kind: 'words', words: ['v1'] }, 'the version of this format', true),
    config: field(oneOrMore(name, 'a path'), 'files and folders with Istio YAML, relative to this file', true),
    clients: field(
      {
        kind: 'map',
        of: {
          kind: 'object',
          fields: {
            cert: field(name, 'PEM file, relative to this file'),
            key: field(name, 'PEM file, relative to this file'),
            generate: field(
              {
                kind: 'object',
                fields: {
                  signedBy: field(
                    { kind: 'words', words: ['self', 'gateway'] },
                    'self: by itself; gateway: by the CA that the server trusts, where its key is known (devCerts)',
                    true,
                  ),
                  commonName: field(name, 'default: the name of the client'),
                  dnsNames: field({ kind: 'list', of: name }, 'subject alternative names'),
                  uris: field({ kind: 'list', of: name }, 'subject alternative names: spiffe://…'),
                },
              },
              'made for this run',
            ),
          },
        },
      },
      'who can present a certificate',
    ),
    gateway: field(
      {
        kind: 'object',
        fields: {
          devCerts: field(boolean, 'a certificate for each credentialName that has no Secret'),
          meshConfig: field(name, 'MeshConfig file, relative to this file'),
          gatewayLabels: field(labels, "labels of the gateway's pod"),
          gatewayNamespace: field(name, "namespace of the gateway's pod"),
          namespace: field(name, 'namespace of objects that have none'),
          nodeMetadata: field(labels, 'node metadata'),
          assumeServices: field(boolean, 'take every destination that a route names as a service'),
          workloadCerts: field(name, "folder with the gateway's mesh identity: root.pem, cert.pem, key.pem"),
          allowUnemulated: field(
            {
              kind: 'any',
              of: [boolean, { kind: 'list', of: name }],
              about: 'true, or a list of kinds, objects or fields',
            },
            'what may be in use although postern does not emulate it: true, or kinds (EnvoyFilter), objects (EnvoyFilter/ns/name), fields (spec.http[0].retries)',
          ),
        },
      },
      'the emulated workload, as the flags of `postern run`',
    ),
    upstreams: field(
      {
        kind: 'map',
        of: {
          kind: 'object',
          fields: {
            respond: field(
              {
                kind: 'any',
                of: [respond, { kind: 'list', of: respond, min: 1 }],
                about: 'an answer, or a list of answers',
              },
              'how it answers; a list gives one answer per request, the last one from then on; default: JSON of what it received',
            ),
          },
        },
      },
      'stand-ins by HOST[:PORT][/SUBSET]; every other destination is a stub',
    ),
    tests: field({ kind: 'list', of: test }, 'what must be true', true),
  },
};
