// `postern run` over services of the test, for clients as people use them: names under example.com with a certificate of
// the test CA on 443, everything on plaintext 80, HTTP/1.1 and HTTP/2 upstreams.
import { execFileSync } from 'node:child_process';
import type net from 'node:net';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EnvoyProcess } from '../parity/envoy.js';
import { pem } from './data-plane.js';
import { runToEnd, startPostern } from './postern.js';

/** File with the authority of the certificate that the gateway shows. */
export const CA_FILE: string = path.resolve('test/golden/cases/certs/ca.pem');

/** A service of the gateway's world. */
export interface ClientService {
  /** `web` is reached as `web.example.com`. */
  readonly name: string;
  /** On 127.0.0.1; `undefined` = no endpoint. */
  readonly port: number | undefined;
  readonly protocol: 'HTTP' | 'HTTP2' | 'GRPC';
  /** YAML of its routes, in place of one to it for everything; see `toService`. */
  readonly routes?: string;
  /** Its trafficPolicy, YAML in flow form. */
  readonly policy?: string;
}

/** A destination in YAML's flow form. */
export function toService(name: string): string {
  return `route: [{ destination: { host: ${name}.up, port: { number: 80 } } }]`;
}

/** One line of the access log. */
export type LogObject = Readonly<Record<string, unknown>>;

/** A running gateway. */
export interface ClientGateway {
  readonly plain: number;
  /** 0 when nothing listens on 443. */
  readonly secure: number;
  /** Of postern. */
  readonly pid: number | undefined;
  /** The access log so far. */
  lines(): readonly LogObject[];
  /** The first line that fits, once it is there; rejects after some seconds. */
  logged(fits: (line: LogObject) => boolean): Promise<LogObject>;
  /** `errors`: what it said of its own doing. */
  stop(): Promise<{ readonly code: number | null; readonly errors: string }>;
}

/** Starts the gateway over these services. */
export function startClientGateway(services: readonly ClientService[]): Promise<ClientGateway> {
  return startGatewayProcess(`${GATEWAY}${services.map(yamlOf).join('')}`);
}

/**
 * Starts `postern run`, with free ports for 443 and 80. With POSTERN_TEST_ENVOY=FILE that Envoy runs in its place, on what
 * `postern export envoy` writes: tests over it hold for both, or say something untrue of Envoy.
 */
export function startGatewayProcess(config: string): Promise<ClientGateway> {
  const envoy = process.env['POSTERN_TEST_ENVOY'];
  return envoy === undefined ? runPostern(config) : runEnvoy(config, envoy);
}

async function runPostern(config: string): Promise<ClientGateway> {
  const postern = await startPostern(['-', '--no-watch', '--no-stubs', '--access-log', 'json'], { input: config });
  const bound = (port: number): number => postern.listeners.find((one) => one.port === port)?.boundPort ?? 0;
  const lines: LogObject[] = [];
  let rest = '';
  postern.child.stdout?.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part) as LogObject);
  });
  return {
    plain: bound(8080),
    secure: bound(8443),
    pid: postern.child.pid,
    lines: () => lines,
    logged: (fits) => found(lines, fits),
    stop: async () => {
      const { code, stderr } = await postern.stop();
      return { code, errors: stderr.match(/^.*(?:Error|Unhandled|^ {4}at ).*$/gm)?.join('\n') ?? '' };
    },
  };
}

async function runEnvoy(config: string, binary: string): Promise<ClientGateway> {
  const ports = ['--port', '80=0', '--port', '443=0', '--admin', 'off', '--access-log', 'json'];
  const exported = await runToEnd(['export', 'envoy', '-', '-o', 'json', '--no-stubs', ...ports], { input: config });
  const lines: LogObject[] = [];
  const envoy = await EnvoyProcess.start(binary, JSON.parse(exported.stdout) as object, (line) => lines.push(line));
  const port = (name: string): number => envoy.listeners.find((one) => one.name.endsWith(name))?.port ?? 0;
  return {
    plain: port('_8080'),
    secure: port('_8443'),
    pid: undefined,
    lines: () => lines,
    logged: (fits) => found(lines, fits),
    stop: async () => {
      await envoy.close();
      return { code: 0, errors: '' };
    },
  };
}

async function found(lines: readonly LogObject[], fits: (line: LogObject) => boolean): Promise<LogObject> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const line = lines.find(fits);
    if (line !== undefined) return line;
    if (performance.now() > deadline) throw new Error(`no such line in the access log:\n${JSON.stringify(lines)}`);
    await wait(10);
  }
}

const indented = (text: string): string => text.trim().replaceAll(/^/gm, '    ');

const GATEWAY = `apiVersion: v1
kind: Secret
metadata: { name: wild, namespace: istio-system }
stringData:
  tls.crt: |
${indented(pem('wild.pem'))}
  tls.key: |
${indented(pem('wild.key'))}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - port: { number: 443, name: https, protocol: HTTPS }
    hosts: ["*.example.com"]
    tls: { mode: SIMPLE, credentialName: wild }
  - port: { number: 80, name: http, protocol: HTTP }
    hosts: ["*.example.com"]
---
`;

function yamlOf({ name, port, protocol, routes, policy }: ClientService): string {
  const endpoints = port === undefined ? '' : `\n  endpoints: [{ address: 127.0.0.1, ports: { main: ${port} } }]`;
  const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name}, namespace: demo }
spec:
  host: ${name}.up
  trafficPolicy: ${policy}
---
`;
  return `${policy === undefined ? '' : rule}apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: demo }
spec:
  hosts: [${name}.up]
  ports: [{ number: 80, name: main, protocol: ${protocol} }]
  resolution: STATIC
  location: MESH_EXTERNAL${endpoints}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: demo }
spec:
  hosts: [${name}.example.com]
  gateways: [istio-system/edge]
  http:
${(routes ?? `- ${toService(name)}`).trim().replaceAll(/^/gm, '  ')}
---
`;
}

/** Listens on a free port of loopback. */
export async function listenOnLoopback(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** What a command says of its version, or `undefined` when it is not on this machine. */
export function commandVersion(command: string, args: readonly string[] = ['--version']): string | undefined {
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return text.split('\n')[0]?.trim() ?? '';
  } catch {
    return undefined;
  }
}
