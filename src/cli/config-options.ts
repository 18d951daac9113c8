// The flags that every command which loads configuration understands, and what they mean.
import { type Command, Option } from 'commander';
import type { Source } from '../config/load.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { type Compiled, type CompileOptions, ConfigError, compile } from '../gateway/compile.js';
import { DevelopmentCertificates } from '../gateway/development-certificates.js';
import { readSources, readText, SourceError } from '../gateway/sources.js';
import type { Stubs } from '../gateway/stubs.js';
import { parseUpstreamFile, parseUpstreamMapping, type UpstreamMapping } from '../gateway/upstream-mapping.js';
import { parseLocality, readWorkloadCertificates } from '../gateway/workload.js';
import { BAD_INPUT, CommandError, NOT_FOUND, USAGE } from './exit-codes.js';

/** As commander gives them. */
export interface ConfigFlags {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly upstream: readonly string[];
  readonly upstreams?: string;
  readonly stubs: boolean;
  readonly assumeServices?: boolean;
  readonly devCerts: boolean;
  readonly gatewayLabel: readonly string[];
  readonly gatewayNamespace: string;
  readonly nodeLocality?: string;
  readonly nodeMetadata: readonly string[];
  readonly meshConfig?: string;
  readonly workloadCerts?: string;
  readonly maxInput?: string;
}

const collectValues = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

/** Adds the flags to a command. */
export function addConfigOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-f, --filename <FILE|DIR|->',
        'configuration; folders are walked for .yaml, .yml, .json (repeatable, same as PATH)',
      )
        .default([] as readonly string[], 'none')
        .argParser(collectValues),
    )
    .option('-n, --namespace <NAMESPACE>', 'namespace of objects that have none', 'default')
    .addOption(
      new Option('--upstream <HOST[:PORT][/SUBSET]=ADDR:PORT>', 'where a service really is (repeatable)')
        .default([] as readonly string[], 'none')
        .argParser(collectValues),
    )
    .option('--upstreams <FILE>', 'the same as YAML: a map of HOST[:PORT][/SUBSET] to ADDR:PORT')
    .option('--no-stubs', 'no echo stub for a service without endpoints (503 UH, as in Istio)')
    .option(
      '--assume-services',
      'take every destination that a route names as a service (default: when none is loaded)',
    )
    .option('--no-assume-services', 'never do that (503 NC, as in Istio)')
    .option('--dev-certs', 'make a certificate for each credentialName that has no Secret', false)
    .addOption(
      new Option(
        '--gateway-label <KEY=VALUE>',
        "label of the gateway's pod (repeatable; default istio=ingressgateway, app=istio-ingressgateway)",
      )
        .default([] as readonly string[], 'none')
        .argParser(collectValues),
    )
    .option('--gateway-namespace <NAMESPACE>', "namespace of the gateway's pod", 'istio-system')
    .option('--node-locality <REGION/ZONE/SUBZONE>', "locality of the gateway's pod")
    .addOption(
      new Option('--node-metadata <KEY=VALUE>', 'node metadata; HTTP10=1 is ISTIO_META_HTTP10 (repeatable)')
        .default([] as readonly string[], 'none')
        .argParser(collectValues),
    )
    .option('--mesh-config <FILE>', 'MeshConfig (a ConfigMap `istio` in the files does the same)')
    .option('--max-input <SIZE>', 'refuse larger files: bytes, or with Ki or Mi (default 8Mi)')
    .option('--workload-certs <DIR>', "the gateway's mesh identity: root.pem, cert.pem, key.pem");
}

/** The paths that a command was given, in either form. Exits 64 when there is none. */
export function configPaths(paths: readonly string[], flags: ConfigFlags): readonly string[] {
  const all = [...paths, ...flags.filename];
  if (all.length === 0)
    throw new CommandError(USAGE, 'no configuration: name files or folders with Istio YAML, or - for standard input');
  return all;
}

/** The same paths and flags as a command line, for a process that is to load what this one does. */
export function configArguments(paths: readonly string[], flags: ConfigFlags): readonly string[] {
  const each = (flag: string, values: readonly string[]): readonly string[] =>
    values.map((value) => `${flag}=${value}`);
  const maybe = (flag: string, value: string | undefined): readonly string[] =>
    value === undefined ? [] : [`${flag}=${value}`];
  return [
    ...each('--filename', configPaths(paths, flags)),
    `--namespace=${flags.namespace}`,
    ...each('--upstream', flags.upstream),
    ...maybe('--upstreams', flags.upstreams),
    ...(flags.stubs ? [] : ['--no-stubs']),
    ...(flags.assumeServices === undefined
      ? []
      : [flags.assumeServices ? '--assume-services' : '--no-assume-services']),
    ...(flags.devCerts ? ['--dev-certs'] : []),
    ...each('--gateway-label', flags.gatewayLabel),
    `--gateway-namespace=${flags.gatewayNamespace}`,
    ...maybe('--node-locality', flags.nodeLocality),
    ...each('--node-metadata', flags.nodeMetadata),
    ...maybe('--mesh-config', flags.meshConfig),
    ...maybe('--max-input', flags.maxInput),
    ...maybe('--workload-certs', flags.workloadCerts),
  ];
}

/** Reads the configuration; exits 66 for what is not there. */
export function loadSources(paths: readonly string[]): Promise<Source[]> {
  return orNotFound(readSources(paths));
}

async function orNotFound<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof SourceError) throw new CommandError(NOT_FOUND, error.message);
    throw error;
  }
}

/** What the flags mean for loading and translating. */
export async function compileOptions(flags: ConfigFlags): Promise<CompileOptions> {
  const labels = Object.fromEntries(flags.gatewayLabel.map((text) => keyValue('--gateway-label', text)));
  const metadata = Object.fromEntries(flags.nodeMetadata.map((text) => keyValue('--node-metadata', text)));
  return {
    namespace: flags.namespace,
    maxInput: flags.maxInput === undefined ? undefined : parseSize('--max-input', flags.maxInput),
    meshConfig:
      flags.meshConfig === undefined
        ? undefined
        : { file: flags.meshConfig, text: await text(flags.meshConfig), named: true },
    proxy: {
      namespace: flags.gatewayNamespace,
      labels,
      metadata,
      ...(flags.nodeLocality === undefined ? {} : { locality: parseLocality(flags.nodeLocality) }),
    },
    upstreams: await readMappings(flags),
    assumeServices: flags.assumeServices,
    workloadCertificates:
      flags.workloadCerts === undefined ? undefined : await orNotFound(readWorkloadCertificates(flags.workloadCerts)),
  };
}

/**
 * Loads and translates for a command that serves nothing; errors are printed, and the command exits 65. `stubs`: those that
 * stand in for services without endpoints; default: none do. `certificates`: default: made for this time only.
 */
export async function compileSources(
  sources: readonly Source[],
  flags: ConfigFlags,
  stubs?: Stubs,
  certificates: DevelopmentCertificates = new DevelopmentCertificates(undefined),
): Promise<Compiled> {
  try {
    return await compile(sources, await compileOptions(flags), {
      stubs,
      certificates,
      devCerts: flags.devCerts,
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(renderDiagnostics(error.diagnostics, sources));
    throw new CommandError(BAD_INPUT, error.message);
  }
}

async function readMappings(flags: ConfigFlags): Promise<UpstreamMapping[]> {
  const mappings = flags.upstream.map((written) => {
    const mapping = parseUpstreamMapping(written);
    if (mapping === undefined)
      throw new CommandError(USAGE, `--upstream ${written}: expected HOST[:PORT][/SUBSET]=ADDR:PORT`);
    return mapping;
  });
  if (flags.upstreams === undefined) return mappings;
  const parsed = parseUpstreamFile(await text(flags.upstreams));
  if (typeof parsed === 'string') throw new CommandError(BAD_INPUT, `${flags.upstreams}: ${parsed}`);
  // Flags come later, so they win over the file.
  return [...parsed, ...mappings];
}

async function text(file: string): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    throw new CommandError(NOT_FOUND, `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function keyValue(flag: string, written: string): [string, string] {
  const equals = written.indexOf('=');
  if (equals < 1) throw new CommandError(USAGE, `${flag} ${written}: expected KEY=VALUE`);
  return [written.slice(0, equals), written.slice(equals + 1)];
}

function parseSize(flag: string, written: string): number {
  const match = /^(\d+)(Ki|Mi)?$/.exec(written);
  if (match === null) throw new CommandError(USAGE, `${flag} ${written}: expected a number of bytes, such as 16Mi`);
  const unit = match[2] === 'Mi' ? 1024 * 1024 : match[2] === 'Ki' ? 1024 : 1;
  return Number(match[1]) * unit;
}
