// What `postern codes CODE` shows beyond the message itself: a configuration that gives it, and how to mend it.

/** One code's page. */
export interface CodePage {
  /** Istio YAML for which `postern analyze` gives the code (see `shownAs`, `shownBy`). */
  readonly example?: string;
  /** The code under which `analyze` tells the same thing; `run` and `explain` give this one. */
  readonly shownAs?: string;
  /** The command line that gives it, where plain `analyze` of one file cannot; the example, if any, is its file. */
  readonly shownBy?: string;
  /** How to fix it, in a sentence or two. */
  readonly fix: string;
}

/** Pages by code. */
export type CodePages = Readonly<Record<string, CodePage>>;

/** A document of one of Istio's networking kinds; `spec` is a block without indentation. */
export function istio(kind: string, metadata: string, spec: string): string {
  return document('networking.istio.io/v1', kind, metadata, `spec:\n${indent(spec)}`);
}

/** A document of a Kubernetes kind; `body` stands beside metadata. */
export function kubernetes(kind: string, metadata: string, body: string): string {
  return document(kind === 'Deployment' ? 'apps/v1' : 'v1', kind, metadata, body);
}

/** Documents of one file. */
export function documents(...texts: readonly string[]): string {
  return texts.join('---\n');
}

/** A Gateway `edge` for the default workload. */
export function gateway(servers: string, metadata = '{name: edge}'): string {
  return istio('Gateway', metadata, `selector: {istio: ingressgateway}\nservers:\n${servers}`);
}

/** A VirtualService `shop` for shop.example.com on the Gateway `edge`. */
export function virtualService(spec: string, metadata = '{name: shop}'): string {
  return istio('VirtualService', metadata, `hosts: [shop.example.com]\ngateways: [edge]\n${spec}`);
}

/** A Service with port 80. */
export function service(name: string, namespace = 'default'): string {
  const ports = 'spec:\n  selector: {app: web}\n  ports: [{name: http, port: 80, protocol: TCP}]';
  return kubernetes('Service', `{name: ${name}, namespace: ${namespace}}`, ports);
}

/** A plain HTTP server for shop.example.com. */
export const HTTP_SERVER = '- port: {number: 80, name: http, protocol: HTTP}\n  hosts: [shop.example.com]';

/** A server that ends TLS with the Secret shop-tls. */
export const HTTPS_SERVER =
  '- port: {number: 443, name: https, protocol: HTTPS}\n  hosts: [shop.example.com]\n  tls: {mode: SIMPLE, credentialName: shop-tls}';

/** A rule that sends everything to the Service web. */
export const TO_WEB = '- route: [{destination: {host: web}}]';

/** The Gateway edge with its HTTP server. */
export const EDGE: string = gateway(HTTP_SERVER);

function document(apiVersion: string, kind: string, metadata: string, body: string): string {
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: ${metadata}\n${body}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
