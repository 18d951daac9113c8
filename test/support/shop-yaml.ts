// The configuration that tests of the command line start from: one Service, one Gateway, one VirtualService.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';

export const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
`;
export const GATEWAY = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers:
  - { port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }
`;
export const route = (host = 'web.shop.svc.cluster.local', match = ''): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop }
spec:
  hosts: [shop.example.com]
  gateways: [istio-system/edge]
  http:
  - ${match}route:
    - destination: { host: ${host}, port: { number: 80 } }
`;
export const documents = (...texts: readonly string[]): string => texts.join('---\n');

/** A folder with these files, gone after the test. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-run-'));
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
