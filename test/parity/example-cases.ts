// The examples as cases for the parity run: their configuration, an upstream for every Service, and a call for every host
// and rule of what it becomes.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { sampleRequests } from '../../src/decide/sample-request.js';
import { compile } from '../../src/gateway/compile.js';
import { DevelopmentCertificates } from '../../src/gateway/development-certificates.js';
import { HTTP_CONNECTION_MANAGER } from '../../src/xds/index.js';
import type { CallSpec, GoldenCase, UpstreamSpec } from '../golden/support.js';

const FOLDER = 'examples';

/** Their names. */
export function exampleNames(): readonly string[] {
  return readdirSync(FOLDER).sort();
}

/** One example as a case without a recording. */
export async function exampleCase(name: string): Promise<GoldenCase> {
  const folder = path.join(FOLDER, name, 'istio');
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const written = files.map((file) => readFileSync(path.join(folder, file), 'utf8')).join('\n---\n');
  const standIns = { stubs: undefined, certificates: new DevelopmentCertificates(undefined), devCerts: false };
  const { store, snapshot } = await compile([{ file: 'istio.yaml', text: written, named: true }], {}, standIns);
  const upstreams: UpstreamSpec[] = [];
  const endpoints: string[] = [];
  for (const [index, { metadata, spec }] of store.all('Service').entries()) {
    if (metadata.namespace === 'istio-system') continue;
    const ip = `127.0.40.${index + 1}`;
    const ports = spec.ports.map(({ name: port, port: number }) => {
      // Not the Service's own: a gateway on all addresses may have that one.
      const own = 3000 + upstreams.length;
      const isHttp = /^(?:http|grpc)/.test(port ?? '');
      upstreams.push({
        name: `${metadata.name}-${number}`,
        at: `${ip}:${own}`,
        ...(isHttp ? {} : { protocol: /^(?:tls|https)/.test(port ?? '') ? 'tls' : 'tcp', cert: 'upstream' }),
      });
      return `{ ${port === undefined ? '' : `name: ${port}, `}port: ${own} }`;
    });
    endpoints.push(
      `apiVersion: v1\nkind: Endpoints\nmetadata: { name: ${metadata.name}, namespace: ${metadata.namespace} }\nsubsets: [{ addresses: [{ ip: ${ip} }], ports: [${ports.join(', ')}] }]\n`,
    );
  }
  const calls: CallSpec[] = [];
  for (const { listener } of snapshot.listeners) {
    if (listener === undefined || !('socket_address' in listener.address)) continue;
    const port = listener.address.socket_address.port_value;
    for (const chain of listener.filter_chains) {
      const manager = chain.filters.at(-1);
      const names = chain.filter_chain_match?.server_names ?? [];
      const isTls = chain.transport_socket !== undefined || names.length > 0;
      const serverName = names[0]?.replace(/^\*/, 'any');
      const tls = (alpn: string) =>
        isTls ? { tls: { ...(serverName === undefined ? {} : { sni: serverName }), alpn: [alpn] } } : {};
      const table =
        manager?.name === HTTP_CONNECTION_MANAGER
          ? snapshot.routes.find((config) => config.name === manager.typed_config.rds.route_config_name)
          : undefined;
      if (table === undefined) {
        const call = { port, ...tls('istio'), send: 'hello', wait: 0.2 };
        calls.push({ name: `${calls.length}: bytes to ${serverName ?? port}`, ...call });
        continue;
      }
      for (const virtualHost of table.virtual_hosts) {
        for (const request of [...sampleRequests(virtualHost), { path: '/none', method: 'GET', headers: [] }]) {
          const host = (virtualHost.domains[0] ?? '').replace(/^\*/, 'any');
          const http = { host, ...request };
          for (const alpn of ['http/1.1', ...(isTls ? ['h2'] : [])])
            calls.push({
              name: `${calls.length}: ${request.method} ${host}${request.path} ${alpn}`,
              port,
              ...tls(alpn),
              http,
            });
        }
      }
    }
  }
  return {
    area: 'examples',
    name,
    id: `examples/${name}`,
    directory: folder,
    about: '',
    mesh: undefined,
    settle: undefined,
    locality: undefined,
    nodeMetadata: undefined,
    gatewayLabels: undefined,
    upstreams,
    calls,
    recorded: { ready: 'live', envoyLog: [], calls: calls.map((call) => ({ name: call.name, log: [], upstream: [] })) },
    readXds: () => ({}),
    istioYaml: [written, ...endpoints].join('\n---\n'),
  };
}
