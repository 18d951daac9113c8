// What stands around a random configuration: services with their pods, and the upstreams that are these pods.
import type { Received } from '../../../src/stub/received.js';
import { startUpstream, type Upstream } from '../../../src/stub/recording-upstream.js';
import { readCertificate, type UpstreamSpec } from '../../golden/support.js';
import type { FuzzConfig, Resource } from './config-arbitrary.js';

/** Pods by last byte of their address; a lane has its own third byte. */
const PODS: readonly {
  readonly name: string;
  readonly app: string;
  readonly version: string;
  readonly byte: number;
}[] = [
  { name: 'web', app: 'web', version: 'v1', byte: 1 },
  { name: 'api', app: 'api', version: 'v1', byte: 2 },
  { name: 'split-v1', app: 'split', version: 'v1', byte: 3 },
  { name: 'split-v2', app: 'split', version: 'v2', byte: 4 },
  { name: 'hashed-1', app: 'hashed', version: 'v1', byte: 5 },
  { name: 'hashed-2', app: 'hashed', version: 'v1', byte: 6 },
  { name: 'hashed-3', app: 'hashed', version: 'v1', byte: 7 },
  { name: 'mirror', app: 'mirror', version: 'v1', byte: 8 },
  // Nobody listens at this one.
  { name: 'closed', app: 'closed', version: 'v1', byte: 9 },
];

/** Upstreams of a lane; all of them plain HTTP recorders. */
export function upstreamSpecs(lane: number): readonly UpstreamSpec[] {
  return [
    ...PODS.filter(({ name }) => name !== 'closed').map(({ name, byte }) => ({
      name,
      at: `127.1.${lane}.${byte}:3000`,
    })),
    { name: 'ext', at: `127.1.${lane}.10:3000` },
  ];
}

/** Starts them at their addresses. */
export function startUpstreams(lane: number, onReceived: (received: Received) => void): Promise<readonly Upstream[]> {
  return Promise.all(
    upstreamSpecs(lane).map(({ name, at }) => {
      const [host, port] = at.split(':') as [string, string];
      return startUpstream({ name, host, port: Number(port), onReceived });
    }),
  );
}

/** The configuration as one YAML text (of JSON documents). */
export function renderConfig(config: FuzzConfig, lane: number): string {
  return [...surroundings(lane), ...config.routing].map((one) => JSON.stringify(one)).join('\n---\n');
}

function surroundings(lane: number): readonly Resource[] {
  return [
    secret('a-tls', {
      'tls.crt': readCertificate('a.pem'),
      'tls.key': readCertificate('a.key'),
      'ca.crt': readCertificate('client-ca.pem'),
    }),
    service('web', [
      { name: 'http', port: 80, targetPort: 3000 },
      { name: 'other', port: 82, targetPort: 3000 },
    ]),
    service('api', [{ name: 'http-api', port: 8080, targetPort: 3000 }]),
    service('split', [{ name: 'http', port: 80, targetPort: 3000 }]),
    service('hashed', [{ name: 'http', port: 80, targetPort: 3000 }]),
    service('mirror', [{ name: 'http', port: 80, targetPort: 3000 }]),
    service('nobody', [{ name: 'http', port: 80, targetPort: 3000 }]),
    service('closed', [{ name: 'http', port: 80, targetPort: 3000 }]),
    ...PODS.map(({ name, app, version, byte }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'demo', labels: { app, version } },
      status: { podIP: `127.1.${lane}.${byte}` },
    })),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'ext', namespace: 'demo' },
      spec: {
        hosts: ['ext.example.org'],
        location: 'MESH_EXTERNAL',
        resolution: 'STATIC',
        ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 3000 }],
        endpoints: [{ address: `127.1.${lane}.10` }],
      },
    },
  ];
}

function service(name: string, ports: readonly Resource[]): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'demo' },
    spec: { selector: { app: name }, ports },
  };
}

function secret(name: string, data: Readonly<Record<string, string>>): Resource {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'istio-system' },
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  };
}
