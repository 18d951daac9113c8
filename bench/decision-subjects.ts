// Decisions and log lines as the benchmarks and the gate ask for them, each on the configuration of bench/gate-traffic.ts.
import { compileAccessLog } from '../src/dataplane/telemetry/access-log-format.js';
import { StreamInfo } from '../src/dataplane/telemetry/stream-info.js';
import { decide } from '../src/decide/decide.js';
import { buildSnapshotIndex } from '../src/decide/snapshot-index.js';
import { compile } from '../src/gateway/compile.js';
import { DevelopmentCertificates } from '../src/gateway/development-certificates.js';
import { parseUpstreamEntry, type UpstreamMapping } from '../src/gateway/upstream-mapping.js';
import { type GateBackends, SERVICES } from './gate-traffic.js';

/** What is asked again and again. */
export interface Decisions {
  /** An HTTP request, from port to endpoint, by path and header. */
  readonly request: () => unknown;
  /** A TLS connection that is passed through, from port and server name to endpoint. */
  readonly connection: () => unknown;
}

/** Compiles the configuration and checks one answer of each kind; throws for a wrong one. */
export async function decisionsOf(yaml: string): Promise<Decisions> {
  const { snapshot, servicePorts } = await compile(
    [{ file: 'gate.yaml', text: yaml, named: true }],
    { upstreams: upstreamMappings({ http: 1, tcp: 1 }) },
    { stubs: undefined, certificates: new DevelopmentCertificates(undefined), devCerts: false },
  );
  const index = buildSnapshotIndex(snapshot);
  const call = { host: 'web.bench.test', method: 'GET', path: '/api/cart', headers: { 'x-user': 'ann' } };
  const plain = { ...call, port: servicePorts.get(80) ?? 80, tls: 'plaintext' } as const;
  const passed = { port: servicePorts.get(443) ?? 443, tls: 'tls', sni: 'ping.bench.test' } as const;
  for (const [question, cluster] of [
    [plain, `outbound|80||${SERVICES.http}`],
    [passed, `outbound|443||${SERVICES.tcp}`],
  ] as const) {
    const decided = decide(index, question).cluster;
    if (decided !== cluster) throw new Error(`decided for ${decided}, not for ${cluster}`);
  }
  return { request: () => decide(index, plain), connection: () => decide(index, passed) };
}

/** Writes a line in Istio's default format. */
export function accessLogLine(): () => string {
  const line = compileAccessLog({ encoding: 'TEXT' });
  if (line.kind === 'refused') throw new Error(line.reason);
  const info = new StreamInfo(1_700_000_000_000);
  info.endTime = 1_700_000_000_012;
  return () => line.write(info);
}

/** The services of the configuration on ports of this machine. */
export function upstreamMappings(backends: GateBackends): UpstreamMapping[] {
  return (['http', 'tcp'] as const).flatMap((which) => {
    const entry = parseUpstreamEntry(SERVICES[which], `127.0.0.1:${backends[which]}`);
    return entry === undefined ? [] : [entry];
  });
}
