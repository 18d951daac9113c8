// `ProxyConfig.connectionSettings` (Istio 1.31+): the values of the EDGE profile. Spec gateway.md §12.1; dataplane.md §4.2.
// Source: istio/istio pilot/pkg/networking/core/connection_settings.go (applyEdgeProfileDefaults).
import type { ConnectionSettings, MeshConfig } from '../config/model/mesh-config.js';
import { ConnectionSettingNotEmulated } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';

type Setting = Exclude<keyof ConnectionSettings, 'profile'>;

/** Durations in milliseconds. */
const EDGE: Required<Pick<ConnectionSettings, Setting>> = {
  listenerPerConnectionBufferLimitBytes: 32_768,
  httpIdleTimeout: 3_600_000,
  httpRequestTimeout: 300_000,
  httpRequestHeadersTimeout: 60_000,
  httpStreamIdleTimeout: 300_000,
  httpMaxConcurrentStreams: 100,
  http2InitialStreamWindowSize: 65_536,
  http2InitialConnectionWindowSize: 1_048_576,
  httpHeadersWithUnderscoresAction: 'REJECT_REQUEST',
  httpMergeSlashes: true,
  httpPathWithEscapedSlashesAction: 'UNESCAPE_AND_REDIRECT',
};

/** What the profile sets and the data plane does not carry out; written by hand, the rows of the fields warn. */
const NOT_EMULATED: readonly Setting[] = ['listenerPerConnectionBufferLimitBytes'];

/** The written value, else that of the profile, else `undefined`. */
export function connectionSetting<S extends Setting>(
  settings: ConnectionSettings,
  setting: S,
): NonNullable<ConnectionSettings[S]> | undefined {
  return settings[setting] ?? (settings.profile === 'EDGE' ? EDGE[setting] : undefined);
}

/** Says which settings of the EDGE profile have no effect here. */
export function reportUnemulatedProfile(mesh: MeshConfig, report: Reporter): void {
  const settings = mesh.defaultConfig?.connectionSettings;
  if (settings?.profile !== 'EDGE') return;
  for (const setting of NOT_EMULATED)
    if (settings[setting] === undefined) report(ConnectionSettingNotEmulated, undefined, { setting });
}
