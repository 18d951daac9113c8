// The `postern run` binary as the target of a replay (`npm run golden -- --binary`): flags, ready file and the JSON access
// log instead of the composition root. Upstreams lie at their configured addresses, so one case runs at a time.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { Endpoint } from './client/channel.js';
import { gatewayProxyOf } from './gateway-target.js';
import type { StartBinary, TimedLogEntry } from './replay.js';
import { type GoldenCase, goldenRoot, type LogEntry } from './support.js';

interface Ready {
  readonly listeners: readonly { readonly name: string; readonly port: number; readonly boundPort: number }[];
}

const READY_LIMIT = 20_000;

/** Starts the binary with the case's configuration on standard input. */
export const startBinary: StartBinary = async (golden, observe) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-golden-'));
  const ready = path.join(folder, 'ready.json');
  const child = spawn(process.execPath, ['dist/cli/main.js', 'run', '-', ...(await flags(golden, folder, ready))], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) observe(readLine(line));
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.end(golden.istioYaml);
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
    await closed;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  // A gateway that waits for its Secrets has no ready file yet; its ports are closed until then.
  if (!startsWarming(golden)) {
    const deadline = performance.now() + READY_LIMIT;
    for (;;) {
      const text = await readFile(ready, 'utf8').catch(() => undefined);
      if (text !== undefined) return { close, listeners: listenersOf(JSON.parse(text) as Ready) };
      if (child.exitCode !== null || performance.now() > deadline) {
        await close();
        throw new Error(`postern did not get ready: ${said}`);
      }
      await wait(5);
    }
  }
  return { close, listeners: new Map() };
};

function startsWarming(golden: GoldenCase): boolean {
  return golden.recorded.ready !== 'live' && golden.settle === undefined;
}

/** The workload and mesh of a case, for any command that loads configuration; writes a file into `folder`. */
export async function configFlags(golden: GoldenCase, folder: string): Promise<string[]> {
  const proxy = gatewayProxyOf(golden);
  const { region = '', zone = '', subZone = '' } = proxy.locality ?? {};
  const meshConfig = path.join(folder, 'mesh.yaml');
  if (golden.mesh !== undefined) await writeFile(meshConfig, stringify(golden.mesh));
  return [
    '--no-stubs',
    '--no-assume-services',
    ...['--workload-certs', path.join(goldenRoot(), 'certs/mesh')],
    ...(golden.mesh === undefined ? [] : ['--mesh-config', meshConfig]),
    ...Object.entries(golden.gatewayLabels ?? {}).flatMap(([key, value]) => ['--gateway-label', `${key}=${value}`]),
    ...Object.entries(proxy.metadata ?? {}).flatMap(([key, value]) => ['--node-metadata', `${key}=${value}`]),
    ...(proxy.locality === undefined ? [] : ['--node-locality', `${region}/${zone}/${subZone}`]),
  ];
}

async function flags(golden: GoldenCase, folder: string, ready: string): Promise<string[]> {
  const ports = new Set(golden.calls.map((call) => call.port));
  const others = golden.calls.some((call) => call.address !== undefined && call.address !== '127.0.0.1');
  return [
    ...(await configFlags(golden, folder)),
    ...['--access-log', 'json'],
    ...['--admin', 'off'],
    ...['--drain-time', '0s'],
    ...['--ready-file', ready],
    ...['--address', others ? '0.0.0.0' : '127.0.0.1'],
    ...[...ports].flatMap((port) => ['--port', `${port}=0`]),
    ...(startsWarming(golden) ? ['--initial-fetch-timeout', '15s'] : []),
  ];
}

// Listeners are named after the address and port of the configuration.
function listenersOf({ listeners }: Ready): ReadonlyMap<string, Endpoint> {
  return new Map(
    listeners.map(({ name, port, boundPort }) => {
      const host = name.slice(0, name.lastIndexOf('_'));
      return [`${host}:${port}`, { host: host === '0.0.0.0' ? '127.0.0.1' : host, port: boundPort }];
    }),
  );
}

const FIELDS: Readonly<Record<string, string>> = {
  response_code: 'status',
  response_flags: 'flags',
  response_code_details: 'details',
  upstream_cluster: 'cluster',
  upstream_host: 'upstream',
  route_name: 'route',
  requested_server_name: 'sni',
};

function readLine(line: string): TimedLogEntry {
  const written = JSON.parse(line) as Readonly<Record<string, string | number | null>>;
  const value: Record<string, string | number> = {};
  for (const [name, field] of Object.entries(FIELDS)) {
    const found = written[name];
    if (found !== null && found !== undefined && found !== '-') value[field] = found;
  }
  // The log has whole milliseconds, cut off: the stream began within the next one.
  return { at: Date.parse(String(written['start_time'])) + 0.999, value: value as LogEntry };
}
