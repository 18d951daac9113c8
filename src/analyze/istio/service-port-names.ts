// Names of Service ports say their protocol. Spec validation.md §11 IST0118, IST0150. Istio: service/portname.go.
import { parseProtocol } from '../../config/model/protocol.js';
import type { WrittenObject } from '../../config/written-object.js';
import {
  ExternalNameServiceTypeInvalidPortName,
  PortNameIsNotUnderNamingConvention,
} from '../../diagnostics/catalogue.js';
import type { Analyzer } from '../analyzer.js';
import { Field } from '../field.js';
import { labelsOf } from '../selector.js';
import { isSystemNamespace } from './system-namespaces.js';

export const servicePortNames: Analyzer = {
  name: 'service.PortNameAnalyzer',
  description: 'Checks the port names associated with each service',
  inputs: ['Service'],
  messages: [PortNameIsNotUnderNamingConvention, ExternalNameServiceTypeInvalidPortName],
  analyze(context) {
    for (const service of context.all('Service')) {
      if (isSystemNamespace(service.namespace) || isControlPlane(service)) continue;
      const spec = Field.of(service).get('spec');
      const isExternalName = spec.get('type').text() === 'ExternalName';
      for (const port of spec.get('ports').items()) {
        const name = port.get('name').text();
        if (saysItsProtocol(port) && !(isExternalName && name === 'tcp')) continue;
        const printed = { printed: port.get('port') };
        const at = port.get('name').isWritten ? port.get('name') : port;
        if (isExternalName) {
          context.report(ExternalNameServiceTypeInvalidPortName, at, {}, printed);
        } else {
          const parameters = {
            name,
            port: port.get('port').number(),
            targetPort: port.get('targetPort').text() || '0',
          };
          context.report(PortNameIsNotUnderNamingConvention, at, parameters, printed);
        }
      }
    }
  },
};

const GATEWAY_CONTROLLERS: ReadonlySet<string> = new Set([
  'istio.io-gateway-controller',
  'istio.io-mesh-controller',
  'istio.io-eastwest-controller',
]);

function isControlPlane(service: WrittenObject): boolean {
  const labels = labelsOf(service);
  return (
    Object.hasOwn(labels, 'istio') ||
    labels['release'] === 'istio' ||
    GATEWAY_CONTROLLERS.has(labels['gateway.istio.io/managed'] ?? '')
  );
}

const APP_PROTOCOLS: ReadonlySet<string> = new Set(['kubernetes.io/h2c', 'kubernetes.io/ws', 'kubernetes.io/wss']);
/** Ports that are never HTTP: SMTP, DNS, MySQL, MongoDB. */
const WELL_KNOWN_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

function saysItsProtocol(port: Field): boolean {
  if (port.get('protocol').text() === 'UDP') return true;
  const appProtocol = port.get('appProtocol').text();
  if (APP_PROTOCOLS.has(appProtocol)) return true;
  const name = appProtocol === '' ? port.get('name').text() : appProtocol;
  if (/^grpc-web/i.test(name)) return true;
  const protocol = parseProtocol(name.split('-')[0] ?? '');
  if (protocol !== 'UnsupportedProtocol') return true;
  return WELL_KNOWN_PORTS.has(port.get('port').number());
}
