// The product around it: stand-ins and mappings (PST06xx).
import type { MessageType } from './diagnostic.js';

export const AssumedServices: MessageType = {
  code: 'PST0601',
  severity: 'info',
  template: 'no Service or ServiceEntry is loaded: every destination that a route names is taken as a service',
  explanation:
    'Routes without any Service would all answer 503 NC. With nothing but routes loaded, postern takes every destination as a service and says so.',
};

export const DevelopmentCertificate: MessageType = {
  code: 'PST0602',
  severity: 'info',
  template: 'no Secret "{name}": a development certificate for {hosts} takes its place',
  explanation:
    'With --dev-certs a credentialName without a Secret gets a certificate of the development CA. A real gateway would reset connections to these hosts.',
};

export const UnusedUpstreamMapping: MessageType = {
  code: 'PST0603',
  severity: 'warning',
  template: 'upstream mapping {mapping} fits no cluster of the gateway',
  explanation:
    'The service, port or subset of an --upstream mapping is spelled differently from every cluster, or no route leads to it.',
};
