// `ProxyConfig.connectionSettings` (Istio 1.31+): its fields, the values of the EDGE profile, and what is not emulated.
// Spec gateway.md §12.1; dataplane.md §4.2.
import { parseDuration } from '../config/duration.js';
import type { ConnectionSettings, MeshConfig } from '../config/model/mesh-config.js';
import { ConnectionSettingNotEmulated } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';

/** The fields that we carry, with the type of their value; durations are milliseconds. */
interface SettingTypes {
  readonly listenerPerConnectionBufferLimitBytes: number;
  readonly clusterPerConnectionBufferLimitBytes: number;
  readonly httpIdleTimeout: number;
  readonly httpRequestTimeout: number;
  readonly httpRequestHeadersTimeout: number;
  readonly httpStreamIdleTimeout: number;
  readonly httpMaxConcurrentStreams: number;
  readonly http2InitialStreamWindowSize: number;
  readonly http2InitialConnectionWindowSize: number;
  readonly httpHeadersWithUnderscoresAction: 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER';
  readonly httpMergeSlashes: boolean;
  readonly httpPathWithEscapedSlashesAction:
    | 'KEEP_UNCHANGED'
    | 'REJECT_REQUEST'
    | 'UNESCAPE_AND_REDIRECT'
    | 'UNESCAPE_AND_FORWARD';
}

type Setting = keyof SettingTypes;

const EDGE: SettingTypes = {
  listenerPerConnectionBufferLimitBytes: 32_768,
  clusterPerConnectionBufferLimitBytes: 32_768,
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

/** The written value, else that of the profile, else `undefined`. A value of the wrong type counts as not written. */
export function connectionSetting<S extends Setting>(
  settings: ConnectionSettings,
  setting: S,
): SettingTypes[S] | undefined {
  const written = READERS[setting](settings[setting]);
  if (written !== undefined) return written;
  return settings.profile === 'EDGE' ? EDGE[setting] : undefined;
}

/** Says of every field that we do not know that it has no effect. */
export function reportUnknownConnectionSettings(mesh: MeshConfig, report: Reporter): void {
  for (const setting of Object.keys(mesh.defaultConfig?.connectionSettings ?? {}))
    if (setting !== 'profile' && !(setting in EDGE)) report(ConnectionSettingNotEmulated, undefined, { setting });
}

const READERS: { readonly [S in Setting]: (value: unknown) => SettingTypes[S] | undefined } = {
  listenerPerConnectionBufferLimitBytes: readNumber,
  clusterPerConnectionBufferLimitBytes: readNumber,
  httpIdleTimeout: readDuration,
  httpRequestTimeout: readDuration,
  httpRequestHeadersTimeout: readDuration,
  httpStreamIdleTimeout: readDuration,
  httpMaxConcurrentStreams: readNumber,
  http2InitialStreamWindowSize: readNumber,
  http2InitialConnectionWindowSize: readNumber,
  httpHeadersWithUnderscoresAction: readUnderscores,
  httpMergeSlashes: (value) => (typeof value === 'boolean' ? value : undefined),
  httpPathWithEscapedSlashesAction: readEscapedSlashes,
};

function readNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function readDuration(value: unknown): number | undefined {
  return typeof value === 'string' ? parseDuration(value) : undefined;
}

function readUnderscores(value: unknown): SettingTypes['httpHeadersWithUnderscoresAction'] | undefined {
  if (typeof value !== 'string') return undefined;
  const action = value.replace(/^HEADERS_WITH_UNDERSCORES_/, '');
  return action === 'ALLOW' || action === 'REJECT_REQUEST' || action === 'DROP_HEADER' ? action : undefined;
}

function readEscapedSlashes(value: unknown): SettingTypes['httpPathWithEscapedSlashesAction'] | undefined {
  switch (value) {
    case 'KEEP_UNCHANGED':
    case 'REJECT_REQUEST':
    case 'UNESCAPE_AND_REDIRECT':
    case 'UNESCAPE_AND_FORWARD':
      return value;
    default:
      return undefined;
  }
}
