// security.istio.io PeerAuthentication, field by field. Spec destinations.md §7.6, gateway.md §11.
import { BadMapKey } from '../../diagnostics/catalogue.js';
import { emulated, message } from '../decode/message.js';
import { converted, enumeration, mapOf, type OptionalType } from '../decode/value-type.js';
import type { PeerAuthenticationMode, PeerAuthenticationSpec } from '../model/peer-authentication.js';
import { istioKind, type KindDefinition, matchLabels } from './common.js';

interface MutualTls {
  readonly mode: PeerAuthenticationMode;
}

const mutualTls: OptionalType<PeerAuthenticationMode> = converted(
  message<MutualTls>('PeerAuthentication.MutualTLS', {
    mode: emulated(enumeration('UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'), { otherwise: 'UNSET' }),
  }),
  (written) => written.mode,
);

const portLevelMtls: OptionalType<PeerAuthenticationSpec['portLevelMtls']> = converted(
  mapOf(mutualTls),
  (written, node, place) => {
    const byPort: Record<number, PeerAuthenticationMode> = {};
    for (const [key, mode] of Object.entries(written)) {
      if (/^[1-9][0-9]{0,4}$/.test(key)) byPort[Number(key)] = mode;
      else place.child(key).report(BadMapKey, node, {}, { refusedBy: 'schema' });
    }
    return byPort;
  },
);

const peerAuthenticationSpec: OptionalType<PeerAuthenticationSpec> = message<PeerAuthenticationSpec>(
  'PeerAuthentication',
  {
    selector: emulated(matchLabels),
    mtls: emulated(mutualTls),
    portLevelMtls: emulated(portLevelMtls, { otherwise: {} }),
  },
);

export const peerAuthentication: KindDefinition<'PeerAuthentication'> = istioKind(
  'PeerAuthentication',
  'security.istio.io',
  ['v1', 'v1beta1'],
  peerAuthenticationSpec,
);
