// Export to Envoy (PST09xx): what a static bootstrap cannot say as the control plane says it.
import type { MessageType } from './diagnostic.js';

export const ListenerNotExported: MessageType = {
  code: 'PST0901',
  severity: 'warning',
  template: 'listener {listener} is left out: {reason}',
  explanation:
    'Envoy refuses this listener and goes on without it when a control plane sends it; in a static bootstrap it would not start at all.',
};

export const RouteTableNotExported: MessageType = {
  code: 'PST0902',
  severity: 'warning',
  template: 'route table {table} is exported without routes: Envoy refuses it ({reason})',
  explanation:
    'A fresh gateway whose route table Envoy refuses answers 404 to everything on that port, and so does the exported one.',
};

export const SecretNotExported: MessageType = {
  code: 'PST0903',
  severity: 'warning',
  template: 'secret {secret} is not exported: {reason}; connections that need it are reset',
  explanation:
    'The exported bootstrap asks for this secret where it never comes, so the chains that need it behave as on a gateway whose Secret is missing.',
};

export const ClustersWithoutEndpoints: MessageType = {
  code: 'PST0904',
  severity: 'info',
  template: 'without endpoints, 503 "no healthy upstream" (UH): {clusters}',
  explanation:
    'The echo stubs of `postern run` are its own and are not exported, so these clusters have nobody behind them.',
  help: 'map a service that runs somewhere with --upstream HOST[:PORT]=ADDR:PORT',
};

export const SystemRootsExported: MessageType = {
  code: 'PST0905',
  severity: 'info',
  template: 'the trust store of the operating system is read from {file}',
  explanation:
    'Upstream TLS without a CA of its own trusts the roots of the machine. Envoy has no name for them, only a file, and does not start without it.',
  help: 'change the file name in the bootstrap where Envoy finds its roots elsewhere',
};

export const ListenerAddressTaken: MessageType = {
  code: 'PST0906',
  severity: 'warning',
  template: 'listener {listener} is left out: {other} has the same address once both are bound on one machine',
  explanation:
    'On the gateway pod the two have different addresses. --address moves listeners of all addresses, and of the pod’s own, to one.',
  help: 'export with another --address, or map one of the ports with --port',
};

export const RevocationListMissing: MessageType = {
  code: 'PST0907',
  severity: 'warning',
  template: 'the revocation list {file} is not there: connections that need it are reset',
  explanation: 'A caCrl file that cannot be read leaves its chains without what they need, exported or not.',
};

export const AccessLogNotExported: MessageType = {
  code: 'PST0908',
  severity: 'warning',
  template: 'the access log is left out: {reason}',
  explanation: 'Envoy refuses the accessLogFormat of MeshConfig, and a static bootstrap with it altogether.',
};
