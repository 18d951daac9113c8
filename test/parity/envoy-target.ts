// Real Envoy as the target of a golden replay, on the bootstrap that `postern export` makes of the case.
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { exportBootstrap } from '../../src/export/bootstrap.js';
import type { Message } from '../../src/export/proto.js';
import type { Endpoint } from '../golden/client/channel.js';
import { compileCase } from '../golden/gateway-target.js';
import type { Start, StartMapped, TimedLogEntry } from '../golden/replay.js';
import type { GoldenCase, LogEntry } from '../golden/support.js';
import { EnvoyProcess, type LogLine } from './envoy.js';
import { isIsolated } from './isolation.js';
import { remapUpstreams } from './remap.js';

/** A case as Envoy gets it: wildcard listeners and all ports where the system likes. */
export async function exportCase(
  golden: GoldenCase,
  address = '127.0.0.1',
  ownPorts = false,
): Promise<{ readonly bootstrap: Message; readonly diagnostics: readonly Diagnostic[] }> {
  const compiled = await compileCase(golden);
  const diagnostics: Diagnostic[] = [];
  const { bootstrap } = exportBootstrap(compiled.snapshot, compiled.origins, collect(diagnostics), {
    address,
    ...(ownPorts ? {} : { otherwise: 0 }),
    accessLog: { encoding: 'JSON', format: JSON.stringify(LOG_FORMAT) },
  });
  return { bootstrap, diagnostics };
}

/**
 * Starts Envoy from `binary`. In a network of our own it has the configured addresses, its own and its upstreams';
 * elsewhere the ports are the system's, and what it says of addresses differs from the recordings.
 */
export function startEnvoyTarget(binary: string): Start {
  if (isIsolated()) {
    return { kind: 'binary', start: (golden, observe) => start(binary, golden, new Map(), observe) };
  }
  return { kind: 'mapped', start: (golden, upstreams, observe) => start(binary, golden, upstreams, observe) };
}

async function start(
  binary: string,
  golden: GoldenCase,
  upstreams: ReadonlyMap<string, Endpoint>,
  observe: (entry: TimedLogEntry) => void,
): ReturnType<StartMapped> {
  const others = golden.calls.some((call) => call.address !== undefined && call.address !== '127.0.0.1');
  const { bootstrap } = await exportCase(golden, others || isIsolated() ? '0.0.0.0' : '127.0.0.1', isIsolated());
  const configured = new Map([...upstreams].map(([at, { host, port }]) => [`${host}:${port}`, at]));
  const envoy = await EnvoyProcess.start(binary, remapUpstreams(bootstrap, upstreams), (line) =>
    observe(toLogEntry(line, configured)),
  );
  return { close: () => envoy.close(), listeners: listenersOf(envoy) };
}

/** By the address and port of the configuration, which a listener's name keeps. */
export function listenersOf(envoy: EnvoyProcess): ReadonlyMap<string, Endpoint> {
  return new Map(
    envoy.listeners.map(({ name, host, port }) => {
      const underscore = name.lastIndexOf('_');
      return [
        `${name.slice(0, underscore)}:${name.slice(underscore + 1)}`,
        { host: host === '0.0.0.0' ? '127.0.0.1' : host, port },
      ];
    }),
  );
}

export const LOG_FORMAT: Readonly<Record<string, string>> = {
  at: '%START_TIME(%s.%6f)%',
  remote: '%DOWNSTREAM_REMOTE_ADDRESS%',
  status: '%RESPONSE_CODE%',
  flags: '%RESPONSE_FLAGS%',
  details: '%RESPONSE_CODE_DETAILS%',
  cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream: '%UPSTREAM_HOST%',
  route: '%ROUTE_NAME%',
  sni: '%REQUESTED_SERVER_NAME%',
  downstream_tls_failure: '%DOWNSTREAM_TRANSPORT_FAILURE_REASON%',
};

/** A line in the form of a recording; `configured` leads from real upstream addresses back to those of the case. */
export function toLogEntry(line: LogLine, configured: ReadonlyMap<string, string>): TimedLogEntry {
  const value: Record<string, string | number> = {};
  for (const field of Object.keys(LOG_FORMAT)) {
    const found = line[field];
    if (field === 'at' || field === 'remote' || found === null || found === undefined || found === '-') continue;
    value[field] = field === 'upstream' ? (configured.get(String(found)) ?? found) : found;
  }
  return { at: Number(line['at']) * 1000, value: value as LogEntry };
}
