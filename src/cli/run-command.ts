// `postern run`: serve, with hot reload, an access log, a ready file and an orderly end.
import net from 'node:net';
import path from 'node:path';
import { Command, Option } from 'commander';
import type { Logger } from 'pino';
import { AdminAddressError, type AdminServer, startAdmin } from '../admin/admin-server.js';
import type { Source } from '../config/load.js';
import { AccessLogSink } from '../dataplane/telemetry/access-log-sink.js';
import { renderClusters, renderPrometheus, renderStats } from '../dataplane/telemetry/stats.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { renderDiagnostics, summarizeDiagnostics } from '../diagnostics/render.js';
import { istioctlFindings } from '../gateway/analysis.js';
import { type CompileOptions, ConfigError } from '../gateway/compile.js';
import { DevelopmentCertificates } from '../gateway/development-certificates.js';
import { type ReloadResult, type RunningGateway, runGateway } from '../gateway/run.js';
import { readSources, readStdin } from '../gateway/sources.js';
import { statsFilter } from '../gateway/stats-filter.js';
import { type Watch, watchSources } from '../gateway/watch.js';
import { parseAdmin, parsePorts } from './bind-options.js';
import { CertificateFiles, developmentFolder } from './client-material.js';
import { addConfigOptions, type ConfigFlags, compileOptions, configPaths, loadSources } from './config-options.js';
import {
  BAD_INPUT,
  CommandError,
  INTERRUPTED,
  NOT_FOUND,
  NOT_PERMITTED,
  OK,
  PORT_IN_USE,
  USAGE,
} from './exit-codes.js';
import { createLog, LOG_LEVELS, type LogLevel } from './log.js';
import { writeReadyFile } from './ready-file.js';
import { type ClientMaterial, hostRows, renderStart } from './start-table.js';
import { version } from './version.js';
import { isWorker, reportReady, runWorkers } from './workers.js';

export interface RunFlags extends ConfigFlags {
  readonly port: readonly string[];
  readonly address: string;
  readonly accessLog: 'text' | 'json' | 'off';
  readonly initialFetchTimeout?: string;
  readonly concurrency: string;
  readonly watch: boolean;
  readonly admin: string;
  readonly logLevel: LogLevel;
  readonly readyFile?: string;
  readonly drainTime: string;
}

export function runCommand(): Command {
  return addConfigOptions(
    new Command('run')
      .description('serve the gateway; hot reload on change')
      .argument('[PATH...]', 'files or folders with Istio YAML, or - for standard input'),
  )
    .option(
      '--port <PORT=PORT>',
      'bind a server port elsewhere, 443=9443; 443=0 asks the system (repeatable)',
      (value: string, previous: readonly string[]) => [...previous, value],
      [] as readonly string[],
    )
    .option('--address <IP>', 'address to listen on', '127.0.0.1')
    .addOption(
      new Option('--access-log <FORMAT>', 'one line per request or connection, on stdout')
        .choices(['text', 'json', 'off'])
        .default('text'),
    )
    .option(
      '--initial-fetch-timeout <DURATION>',
      'play the start of a real gateway: closed that long when no Secret exists (15s)',
    )
    .option('--concurrency <N>', 'worker processes', '1')
    .option('--no-watch', 'do not reload when files change')
    .option('--watch', 'reload when files change (default)')
    .option('--admin <ADDRESS:PORT|off>', 'admin listener, loopback only', '127.0.0.1:15000')
    .addOption(new Option('--log-level <LEVEL>', "postern's own log, on stderr").choices(LOG_LEVELS).default('info'))
    .option('--ready-file <FILE>', 'written when every listener has settled: {pid, listeners, admin}')
    .option('--drain-time <DURATION>', 'from the first signal to the end', '5s')
    .action(async (paths: readonly string[], flags: RunFlags) => {
      const concurrency = Number(flags.concurrency);
      if (!Number.isInteger(concurrency) || concurrency < 1)
        throw new CommandError(USAGE, `--concurrency ${flags.concurrency}: expected a number from 1`);
      if (concurrency > 1 && !isWorker()) {
        const input = configPaths(paths, flags).includes('-') ? await readStdin() : '';
        process.exitCode = await runWorkers(concurrency, flags.readyFile, input);
        return;
      }
      process.exitCode = await serve(paths, flags);
      // The channel to the primary would keep a worker alive.
      if (isWorker()) process.disconnect();
    });
}

async function serve(paths: readonly string[], flags: RunFlags): Promise<number> {
  const log = createLog(flags.logLevel);
  const files = configPaths(paths, flags);
  const options = await compileOptions(flags);
  const drainTime = duration('--drain-time', flags.drainTime);
  const fetchTimeout =
    flags.initialFetchTimeout === undefined ? 0 : duration('--initial-fetch-timeout', flags.initialFetchTimeout);
  const adminAddress = parseAdmin(flags.admin);
  if (net.isIP(flags.address) === 0 && flags.address !== 'localhost')
    throw new CommandError(USAGE, `--address ${flags.address}: expected an IP address of this machine`);
  // Standard input can be read once only; the rest is read again at each reload.
  let sources = await loadSources(files);
  const fixed = sources.filter((source) => source.file === '-');
  const certificates = new DevelopmentCertificates(developmentFolder());

  const accessLog = new AccessLogSink(flags.accessLog, process.stdout);
  const gateway = await start(sources, options, {
    sources: async () => {
      const read = await readSources(files.filter((file) => file !== '-'));
      sources = [...fixed, ...read];
      return sources;
    },
    ports: parsePorts(flags.port),
    address: flags.address,
    observer: accessLog,
    stubs: flags.stubs,
    devCerts: flags.devCerts,
    certificates,
    initialFetchTimeout: fetchTimeout,
  });
  const configureLog = (): void => {
    const refusal = accessLog.configure(gateway.snapshot.accessLog);
    if (refusal !== undefined) log.warn(`accessLogFormat: ${refusal}`);
  };
  configureLog();
  warnOfUnusedPorts(flags.port, gateway, log);
  const signals = new Signals();
  const announce = async (admin: string | null): Promise<void> => {
    failOnUnbound(gateway);
    if (isTalking()) process.stderr.write(await startText(gateway, files, certificates, flags.workloadCerts));
    if (flags.readyFile !== undefined && !isWorker()) {
      await writeReadyFile(flags.readyFile, { pid: process.pid, listeners: gateway.listeners, admin }).catch(
        (error: Error) => {
          throw new CommandError(NOT_FOUND, `cannot write ${flags.readyFile}: ${error.message}`);
        },
      );
    }
    reportReady(gateway.listeners, admin);
  };
  // With zero listeners nothing else would keep the process up.
  const alive = setInterval(() => {}, 1 << 30);
  let admin: AdminServer | undefined;
  let watch: Watch | undefined;
  try {
    if (isTalking()) {
      process.stderr.write(renderDiagnostics(gateway.diagnostics, sources));
      process.stderr.write(summary(gateway, files) + analyzerNote(gateway, options, files));
    }
    if (adminAddress !== undefined && isTalking()) admin = await openAdmin(adminAddress, gateway);
    const reload = (): Promise<void> =>
      gateway.reload().then(
        (result) => {
          if (result.kind === 'applied') configureLog();
          if (isTalking()) reportReload(result, sources, log);
        },
        (error: unknown) =>
          log.error(
            `reload failed, the running configuration stays: ${error instanceof Error ? error.message : String(error)}`,
          ),
      );
    // Before all has settled: a Secret that appears is what the listeners may be waiting for.
    if (flags.watch) watch = watchSources(files, sources, reload);
    process.on('SIGHUP', reload);
    await Promise.race([gateway.settled, signals.first]);
    if (gateway.state !== 'initializing') await announce(admin?.address ?? null);
    await signals.first;
    log.info(`draining for ${flags.drainTime}, a second signal ends at once`);
    await Promise.race([gateway.close(drainTime), signals.second.then(() => process.exit(INTERRUPTED))]);
    return OK;
  } finally {
    clearInterval(alive);
    await watch?.close();
    await admin?.close();
    await gateway.close();
    accessLog.flush();
  }
}

async function start(
  sources: readonly Source[],
  options: CompileOptions,
  rest: Parameters<typeof runGateway>[0],
): Promise<RunningGateway> {
  let first = true;
  const { sources: read } = rest;
  try {
    return await runGateway({
      ...options,
      ...rest,
      sources: async () => {
        if (first) {
          first = false;
          return sources;
        }
        return typeof read === 'function' ? read() : read;
      },
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (isTalking()) process.stderr.write(renderDiagnostics(error.diagnostics, sources));
    throw new CommandError(BAD_INPUT, error.message);
  }
}

// One process of several speaks for all.
function isTalking(): boolean {
  return !isWorker() || isWorker() === 'first';
}

function failOnUnbound(gateway: RunningGateway): void {
  const failed = gateway.applied.failed[0];
  if (failed === undefined) return;
  const elsewhere = `bind it elsewhere with --port ${failed.port}=PORT`;
  const said = gateway.applied.failed.map(bindFailure).join('; ');
  if (failed.code === 'EADDRINUSE') throw new CommandError(PORT_IN_USE, `${said}; ${elsewhere}`);
  if (failed.code === 'EACCES') throw new CommandError(NOT_PERMITTED, `${said}; ${elsewhere}`);
  if (failed.code === 'EADDRNOTAVAIL') throw new CommandError(USAGE, `${said}; --address wants one of this machine`);
  throw new CommandError(PORT_IN_USE, said);
}

function bindFailure({ name, tried, code }: RunningGateway['applied']['failed'][number]): string {
  switch (code) {
    case 'EADDRINUSE':
      return `${tried} is in use (listener ${name})`;
    case 'EACCES':
      return `not permitted to bind ${tried} (listener ${name})`;
    default:
      return `cannot bind ${tried} (listener ${name}): ${code}`;
  }
}

async function openAdmin(address: { host: string; port: number }, gateway: RunningGateway): Promise<AdminServer> {
  try {
    return await startAdmin({
      ...address,
      gateway,
      version,
      clusters: () => renderClusters(gateway.running.clusters),
      stats: (filter) => renderStats(filter === undefined || filter === '' ? undefined : statsFilter(filter)),
      prometheus: () => renderPrometheus(),
    });
  } catch (error) {
    if (error instanceof AdminAddressError) throw new CommandError(USAGE, error.message);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const where = `${address.host}:${address.port}`;
    if (code === 'EADDRINUSE')
      throw new CommandError(
        PORT_IN_USE,
        `the admin port ${where} is in use; choose another with --admin ADDRESS:PORT, or --admin off`,
      );
    if (code === 'EACCES') throw new CommandError(NOT_PERMITTED, `not permitted to bind the admin port ${where}`);
    throw error;
  }
}

function summary(gateway: RunningGateway, files: readonly string[]): string {
  const { counts } = gateway.compiled;
  const { noKind, contract, otherKinds } = counts.skipped;
  const skipped = [
    ...(noKind > 0 ? [`${noKind} without apiVersion and kind`] : []),
    ...(contract > 0 ? [`${contract} contract files`] : []),
    ...(otherKinds > 0 ? [`${otherKinds} of kinds that a gateway does not look at`] : []),
  ];
  return `loaded ${counts.loaded} objects from ${files.join(', ')}${skipped.length === 0 ? '' : `; skipped: ${skipped.join(', ')}`}\n`;
}

/** Looking through more than this would be felt at start. */
const FEW_OBJECTS = 500;

/** One line when istioctl's analyzers have something to say: `run` itself does not ask them. */
function analyzerNote(gateway: RunningGateway, options: CompileOptions, files: readonly string[]): string {
  const { load } = gateway.compiled;
  if (load === undefined || load.objects.length > FEW_OBJECTS) return '';
  const found = summarizeDiagnostics(istioctlFindings(load, options));
  return found === '' ? '' : `istioctl analyze would report ${found}: see postern analyze ${files.join(' ')}\n`;
}

async function startText(
  gateway: RunningGateway,
  files: readonly string[],
  certificates: DevelopmentCertificates,
  workloadCerts: string | undefined,
): Promise<string> {
  const { snapshot, compiled } = gateway;
  const found = await CertificateFiles.find(files);
  const isOurs = (name: string | undefined): boolean =>
    compiled.developmentSecrets.some(
      (secret) => name === `kubernetes://${secret}` || name === `kubernetes://${secret}-cacert`,
    );
  const usesOurs = compiled.developmentSecrets.length > 0;
  const rows = hostRows(snapshot, gateway.listeners, compiled.stubbed);
  // A member of the mesh: whoever its root has signed, such as the gateway itself.
  const member =
    workloadCerts === undefined
      ? certificates.clientFiles()
      : { cert: path.join(workloadCerts, 'cert.pem'), key: path.join(workloadCerts, 'key.pem') };
  const isMesh = rows.some((row) => row.mode === 'ISTIO_MUTUAL');
  if (usesOurs || (isMesh && workloadCerts === undefined)) await certificates.client();
  const material = (row: { certificate: string | undefined; clientCa: string | undefined }): ClientMaterial => {
    const beside = found.materialFor(
      row.certificate === undefined ? undefined : snapshot.secrets[row.certificate],
      row.clientCa === undefined ? undefined : snapshot.secrets[row.clientCa],
    );
    const caFile = isOurs(row.certificate) ? certificates.caFile() : beside.caFile;
    const client = row.clientCa === 'ROOTCA' ? member : isOurs(row.clientCa) ? certificates.clientFiles() : beside;
    return {
      names: beside.names ?? [],
      ...(caFile === undefined ? {} : { caFile }),
      ...(client?.cert === undefined || client.key === undefined ? {} : { cert: client.cert, key: client.key }),
    };
  };
  if (rows.length === 0) return `\nno host is served: ${whyNone(gateway)}\n\n`;
  return `\n${renderStart(rows, material, { caFile: usesOurs ? certificates.caFile() : undefined })}\n`;
}

function whyNone({ compiled, snapshot, listeners }: RunningGateway): string {
  const { namespace, labels } = compiled.proxy;
  const { gateways } = compiled;
  if (gateways === 0) return 'no Gateway is loaded';
  if (listeners.length > 0) return 'no rule is bound to a server of a Gateway';
  if (snapshot.listeners.length > 0) return 'Envoy refuses every listener';
  const written = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return `${gateways === 1 ? 'the Gateway that is loaded selects' : `the ${gateways} Gateways that are loaded select`} another workload than ${namespace} with ${written.join(', ')} (--gateway-label, --gateway-namespace)`;
}

function reportReload(result: ReloadResult, sources: readonly Source[], log: Logger): void {
  if (result.kind === 'refused') {
    process.stderr.write(renderDiagnostics(result.diagnostics, sources));
    for (const failure of result.failed) log.error(bindFailure(failure));
    log.error('the change has errors: the running configuration stays');
    return;
  }
  const shown: Diagnostic[] = result.compiled.diagnostics.filter((diagnostic) => diagnostic.severity !== 'info');
  process.stderr.write(renderDiagnostics(shown, sources));
  log.info(
    `reloaded: ${result.listeners.bound.map(({ name, boundPort }) => `${name} on ${boundPort}`).join(', ') || 'no listener'}`,
  );
}

function warnOfUnusedPorts(written: readonly string[], gateway: RunningGateway, log: Logger): void {
  const ports = new Set(
    gateway.snapshot.listeners.flatMap(({ listener }) =>
      listener !== undefined && 'socket_address' in listener.address
        ? [listener.address.socket_address.port_value]
        : [],
    ),
  );
  const { portTargets } = gateway.compiled;
  for (const port of parsePorts(written).keys()) {
    if (ports.has(port) || ports.has(portTargets.get(port) ?? port)) continue;
    log.warn(`--port ${port}: no server of a Gateway has this port`);
  }
}

function duration(flag: string, written: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(written);
  if (match === null) throw new CommandError(USAGE, `${flag} ${written}: expected a duration, as in 15s`);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match[2] ?? 's') as 'ms' | 's' | 'm' | 'h'];
  return Number(match[1]) * unit;
}

class Signals {
  readonly first: Promise<void>;
  readonly second: Promise<void>;

  constructor() {
    let count = 0;
    let firstDone: () => void = () => {};
    let secondDone: () => void = () => {};
    this.first = new Promise((resolve) => {
      firstDone = resolve;
    });
    this.second = new Promise((resolve) => {
      secondDone = resolve;
    });
    const received = (): void => {
      count += 1;
      if (count === 1) firstDone();
      else secondDone();
    };
    process.on('SIGTERM', received);
    process.on('SIGINT', received);
  }
}
