// `postern export envoy`: the snapshot that the data plane would run, as one static bootstrap for real Envoy.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { Argument, Command, Option } from 'commander';
import { compileAccessLog } from '../dataplane/telemetry/access-log-format.js';
import { AccessLogNotExported } from '../diagnostics/catalogue.js';
import { collect, type Diagnostic } from '../diagnostics/diagnostic.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { type ExportedFile, exportBootstrap } from '../export/bootstrap.js';
import { renderYaml } from '../gateway/yaml-text.js';
import { gatewayPortResolver } from '../registry/gateway-ports.js';
import type { AccessLogSettings, Snapshot } from '../xds/index.js';
import { parseAdmin, parsePorts } from './bind-options.js';
import { addConfigOptions, type ConfigFlags, compileSources, configPaths, loadSources } from './config-options.js';
import { CommandError, NOT_FOUND, USAGE } from './exit-codes.js';

interface ExportFlags extends ConfigFlags {
  readonly output: 'json' | 'yaml';
  readonly secrets?: readonly string[];
  readonly port: readonly string[];
  readonly address: string;
  readonly admin: string;
  readonly accessLog?: 'text' | 'json' | 'off';
}

export function exportCommand(): Command {
  return addConfigOptions(
    new Command('export')
      .description('write the configuration for another proxy: a static bootstrap of Envoy 1.40')
      .addArgument(new Argument('<FORMAT>', 'what to write').choices(['envoy']))
      .argument('[PATH...]', 'configuration'),
  )
    .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['yaml', 'json']).default('yaml'))
    .option(
      '--secrets <inline|files DIR...>',
      'keys and certificates inside the bootstrap (default), or as files of a folder (mode 0600)',
    )
    .option(
      '--port <PORT=PORT>',
      'bind a server port elsewhere, 443=9443 (repeatable)',
      (value: string, previous: readonly string[]) => [...previous, value],
      [] as readonly string[],
    )
    .option('--address <IP>', 'address to listen on; 0.0.0.0 in a container', '127.0.0.1')
    .option('--admin <ADDRESS:PORT|off>', "Envoy's admin listener", '127.0.0.1:15000')
    .addOption(
      new Option('--access-log <FORMAT>', "Istio's format, on stdout (default: MeshConfig's, else json)").choices([
        'text',
        'json',
        'off',
      ]),
    )
    .action(async (_format: string, written: readonly string[], flags: ExportFlags) => {
      const { folder, paths } = secretsFlag(flags.secrets ?? ['inline'], written);
      if (net.isIP(flags.address) === 0)
        throw new CommandError(USAGE, `--address ${flags.address}: expected an IP address`);
      const admin = parseAdmin(flags.admin);
      const sources = await loadSources(configPaths(paths, flags));
      const compiled = await compileSources(sources, flags);
      const diagnostics: Diagnostic[] = [...compiled.diagnostics];
      const report = collect(diagnostics);
      const resolve = gatewayPortResolver(compiled.context.store, compiled.context.proxy);
      const log = accessLog(compiled.snapshot, flags.accessLog);
      if (typeof log === 'object' && 'refused' in log) report(AccessLogNotExported, undefined, { reason: log.refused });
      const { bootstrap, files } = exportBootstrap(compiled.snapshot, compiled.origins, report, {
        address: flags.address,
        ports: new Map([...parsePorts(flags.port)].map(([port, bind]) => [resolve(port), bind])),
        admin: admin ?? 'off',
        accessLog: typeof log === 'object' && 'refused' in log ? 'off' : log,
        ...(folder === undefined ? {} : { secretsFolder: folder }),
      });
      process.stderr.write(renderDiagnostics(diagnostics, sources));
      if (folder !== undefined) await writeFiles(folder, files);
      process.stdout.write(flags.output === 'json' ? `${JSON.stringify(bootstrap, null, 1)}\n` : renderYaml(bootstrap));
    });
}

// The option swallows what follows it, paths included: only the folder is its own.
function secretsFlag(
  values: readonly string[],
  paths: readonly string[],
): { readonly folder: string | undefined; readonly paths: readonly string[] } {
  const [mode, ...rest] = values;
  if (mode === 'inline') return { folder: undefined, paths: [...rest, ...paths] };
  const [folder, ...more] = rest;
  if (mode !== 'files' || folder === undefined)
    throw new CommandError(USAGE, `--secrets ${values.join(' ')}: expected inline, or files and a folder`);
  return { folder: folder.replace(/(?<=.)\/+$/, ''), paths: [...more, ...paths] };
}

function accessLog(
  { accessLog: written }: Snapshot,
  flag: ExportFlags['accessLog'],
): AccessLogSettings | 'off' | { readonly refused: string } {
  if (flag === 'off') return 'off';
  if (flag !== undefined) return { encoding: flag === 'json' ? 'JSON' : 'TEXT' };
  const compiled = compileAccessLog(written);
  return compiled.kind === 'refused' ? { refused: compiled.reason } : written;
}

async function writeFiles(folder: string, files: readonly ExportedFile[]): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const { path: file, content } of files) {
      await writeFile(path.normalize(file), content, { mode: 0o600 });
      // One that was there before keeps its own mode otherwise.
      await chmod(path.normalize(file), 0o600);
    }
  } catch (error) {
    throw new CommandError(
      NOT_FOUND,
      `--secrets files ${folder}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
