// A live gateway in front of scripted HTTP upstreams, from YAML that is about destinations: one ServiceEntry, rule and
// route per host.
import http from 'node:http';
import type net from 'node:net';

export interface NamedUpstream {
  readonly name: string;
  readonly port: number;
  /** Connections accepted so far; closed ones stay. */
  readonly sockets: net.Socket[];
  /** Responses of requests for `/hold`, which wait for the test. */
  readonly held: http.ServerResponse[];
  /** `METHOD PATH ATTEMPT` of each request. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Answers with its name: 200, the number that a path like `/503` names, or when it is told to (`/hold`). */
export async function startNamedUpstream(name: string): Promise<NamedUpstream> {
  const held: http.ServerResponse[] = [];
  const sockets: net.Socket[] = [];
  const requests: string[] = [];
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers['x-envoy-attempt-count']}`);
    if (request.url === '/hold') held.push(response);
    else response.writeHead(Number(request.url?.slice(1)) || 200).end(name);
  });
  server.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    name,
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sockets,
    held,
    requests,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** One request on a connection of its own. */
export function get(port: number, host: string, path = '/', headers: Record<string, string> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host: '127.0.0.1', port, path, headers: { ...headers, host }, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on('error', reject);
  });
}

/** A ServiceEntry of these endpoints, its DestinationRule with this policy and a route for the host, as YAML. */
export function destination(host: string, endpoints: readonly (number | string)[], policy: string, route = ''): string {
  const name = host.replaceAll('.', '-');
  const list = endpoints.map((endpoint) =>
    typeof endpoint === 'number' ? `{address: 127.0.0.1, ports: {http: ${endpoint}}}` : endpoint,
  );
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: istio-system}
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [${list.join(', ')}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ${name}, namespace: istio-system}
spec: {host: ${host}${policy === '' ? '' : `, trafficPolicy: ${policy}`}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}, namespace: istio-system}
spec:
  hosts: [${host}]
  gateways: [edge]
  http: [{${route === '' ? 'retries: {attempts: 0}' : route}, route: [{destination: {host: ${host}}}]}]
`;
}

/** A Gateway for HTTP on port 80. */
export const EDGE = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
`;
