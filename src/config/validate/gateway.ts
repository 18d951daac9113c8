// What istiod's webhook says of a Gateway, in Istio's order. Spec validation.md §3; Istio:
// pkg/config/validation/validation.go ValidateGateway.
import { isHttpProtocol, type Protocol, parseProtocol } from '../model/protocol.js';
import { Findings } from './findings.js';
import { goQuote } from './go-text.js';
import { validateHostEntry } from './host-entry.js';
import { isDnsLabel } from './names.js';
import type { WebhookObject } from './object.js';
import { validateServerTls } from './server-tls.js';
import { checkIp, checkPort, checkUnixAddress } from './values.js';
import type { Written } from './written.js';

export function validateGateway(object: WebhookObject, found: Findings): void {
  if (!isDnsLabel(object.name)) found.error(`invalid gateway name: ${goQuote(object.name)}`, object.nameSpan);
  const servers = object.spec.messages('servers');
  if (servers.length === 0) found.error('gateway must have at least one server', object.spec.spanOf('servers'));
  for (const server of servers) validateServer(server, found);
  validateTogether(servers, found);
}

/** What servers say of each other; Istio's second pass. */
function validateTogether(servers: readonly Written[], found: Findings): void {
  const names = new Set<string>();
  for (const server of servers) {
    const port = server.message('port');
    if (port === undefined) continue;
    const name = port.text('name');
    if (names.has(name)) {
      found.error(`port names in servers must be unique: duplicate name ${name}`, port.spanOf('name'));
    }
    names.add(name);
    const tls = server.message('tls');
    if (tls?.flag('httpsRedirect') === true && !isHttpProtocol(parseProtocol(port.text('protocol')))) {
      found.warning('tls.httpsRedirect should only be used with http servers', tls.spanOf('httpsRedirect'));
    }
  }
}

function validateServer(server: Written, found: Findings): void {
  const hosts = server.texts('hosts');
  if (hosts.length === 0) found.error('server config must contain at least one host', server.spanOf('hosts'));
  for (const host of hosts) validateHostEntry(host, 'gateway', found);

  const port = server.message('port');
  const bind = server.text('bind');
  const portFindings = new Findings();
  validateServerPort(server, port, bind, portFindings);
  found.addErrors(portFindings);
  validateBind(server, port, bind, found);
  const tls = server.message('tls');
  if (tls !== undefined) validateServerTls(tls, found);
  if (port !== undefined && portFindings.errors.length === 0) {
    validateTlsOfProtocol(server, tls, parseProtocol(port.text('protocol')), found);
  }
}

const UNIX = 'unix://';

function validateServerPort(server: Written, port: Written | undefined, bind: string, found: Findings): void {
  if (port === undefined) {
    found.error('port is required', server.span);
    return;
  }
  const protocol = port.text('protocol');
  if (parseProtocol(protocol) === 'UnsupportedProtocol') {
    found.error(
      `invalid protocol ${goQuote(protocol)}, supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP`,
      port.spanOf('protocol'),
    );
  }
  const number = port.number('number');
  if (number > 0 || !bind.startsWith(UNIX)) found.errorIf(checkPort(number), port.spanOf('number'));
  if (port.number('targetPort') > 0) found.error('targetPort has no impact on Gateways', port.spanOf('targetPort'));
  if (port.text('name') === '') found.error(`port name must be set: ${portText(port)}`, port.spanOf('name'));
}

function validateBind(server: Written, port: Written | undefined, bind: string, found: Findings): void {
  const span = server.spanOf('bind');
  if (!bind.startsWith(UNIX)) {
    if (bind !== '') found.errorIf(checkIp(bind), span);
    return;
  }
  found.errorIf(checkUnixAddress(bind), span);
  if (port !== undefined && port.number('number') !== 0) {
    found.error(`port number must be 0 for unix domain socket: ${portText(port)}`, port.spanOf('number'));
  }
}

/** protobuf's debug text, whose blanks change from build to build. */
function portText(port: Written): string {
  const fields = [
    port.number('number') === 0 ? '' : `number:${port.number('number')}`,
    port.text('protocol') === '' ? '' : `protocol:${goQuote(port.text('protocol'))}`,
    port.text('name') === '' ? '' : `name:${goQuote(port.text('name'))}`,
    port.number('targetPort') === 0 ? '' : `target_port:${port.number('targetPort')}`,
  ];
  return fields.filter((field) => field !== '').join(' ');
}

function validateTlsOfProtocol(server: Written, tls: Written | undefined, protocol: Protocol, found: Findings): void {
  if (protocol === 'HTTPS' || protocol === 'TLS') {
    if (tls === undefined) found.error('server must have TLS settings for HTTPS/TLS protocols', server.spanOf('port'));
    return;
  }
  if (tls === undefined) return;
  if (!isHttpProtocol(protocol)) {
    found.error('server cannot have TLS settings for non HTTPS/TLS ports', server.spanOf('tls'));
    return;
  }
  const mode = tls.text('mode');
  const terminates = mode !== '' && mode !== 'PASSTHROUGH' && mode !== 'AUTO_PASSTHROUGH';
  const files = ['caCertificates', 'privateKey', 'serverCertificate'].find((key) => tls.text(key) !== '');
  if (terminates || files !== undefined) {
    found.error('server cannot have TLS settings for plain text HTTP ports', tls.spanOf(files ?? 'mode'));
  }
}
