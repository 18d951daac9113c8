// `postern explain URL`: where this request goes and why, without opening a socket. The decision is that of live traffic
// (decide/); what is printed beside it is its trail.
import { readFile } from 'node:fs/promises';
import { text as streamText } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import type { Source } from '../config/load.js';
import { certificatesIn } from '../decide/certificate-facts.js';
import { decide } from '../decide/decide.js';
import type { Call, TrailStep } from '../decide/decision.js';
import { buildSnapshotIndex } from '../decide/snapshot-index.js';
import { hasErrors } from '../diagnostics/diagnostic.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { AnalysisSession } from '../gateway/analysis.js';
import type { Compiled } from '../gateway/compile.js';
import { callOfUrl, parseCalls } from './call-input.js';
import {
  addConfigOptions,
  type ConfigFlags,
  compileOptions,
  compileSources,
  configPaths,
  loadSources,
} from './config-options.js';
import { configurationHints, isUnanswered } from './configuration-hints.js';
import { BAD_INPUT, CommandError, NOT_FOUND, USAGE } from './exit-codes.js';
import { renderDecision } from './explain-text.js';

interface ExplainFlags extends ConfigFlags {
  readonly output: 'text' | 'json';
  readonly calls?: string;
  readonly request: string;
  readonly header: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly resolve: readonly string[];
  /** `false` after --no-sni. */
  readonly sni?: string | false;
  readonly alpn?: string;
  readonly port?: string;
  readonly plaintext?: boolean;
  readonly http2?: boolean;
  readonly random?: string;
}

const collectValues = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

export function explainCommand(): Command {
  return addConfigOptions(
    new Command('explain')
      .description('tell where a request goes and why, without opening a socket')
      .argument('[PATH|URL...]', 'configuration, then the URL (https://shop.example.com/cart)')
      .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json']).default('text'))
      .option('--calls <FILE|->', 'answer a JSON array of Calls with a JSON array of Decisions instead of one URL')
      .option('-X, --request <METHOD>', 'method', 'GET')
      .addOption(
        new Option('-H, --header <NAME: VALUE>', 'a header (repeatable)')
          .default([] as readonly string[], 'none')
          .argParser(collectValues),
      )
      .option('--cert <FILE>', 'client certificate (PEM)')
      .option('--key <FILE>', 'its key; not read, since nothing is signed')
      .addOption(
        new Option('--resolve <HOST:PORT:ADDRESS>', 'as in curl; names are never looked up here (repeatable)')
          .default([] as readonly string[], 'none')
          .argParser(collectValues),
      )
      .option('--sni <NAME>', "server name of the ClientHello (default: the URL's host)")
      .option('--no-sni', 'send none')
      .option('--alpn <PROTOCOLS>', 'offered protocols, comma-separated')
      .option('--port <PORT>', "port to dial (default: the URL's)")
      .option('--plaintext', 'no TLS, whatever the URL says')
      .option('--http2', 'speak HTTP/2')
      .option('--random <N>', 'replaces chance (weights, faults, mirrors): 0 to 1'),
  ).action(async (_: unknown, flags: ExplainFlags, command: Command) => {
    const words = [...command.args];
    const url = flags.calls === undefined ? words.pop() : undefined;
    if (flags.calls === undefined && (url === undefined || !/^[a-z][a-z0-9+.-]*:\/\//i.test(url)))
      throw new CommandError(
        USAGE,
        `${url ?? 'no URL'}: the last argument is the URL, as in https://shop.example.com/`,
      );
    // Read before the configuration: both may come from standard input, and mistakes here are quick to tell.
    const calls = flags.calls === undefined ? undefined : parsed(flags.calls, await text(flags.calls));
    const call = url === undefined ? undefined : callOf(url, flags);
    const pem = flags.cert === undefined ? undefined : await certificateText(flags.cert);
    const sources = await loadSources(configPaths(words, flags));
    const compiled = await compileSources(sources, flags);
    const index = buildSnapshotIndex(compiled.snapshot);
    const common = { origins: compiled.origins, servicePorts: compiled.servicePorts };
    if (calls !== undefined) {
      process.stdout.write(
        `${JSON.stringify(
          calls.map((one) => decide(index, one, common)),
          null,
          1,
        )}\n`,
      );
      return;
    }
    if (call === undefined) return;
    const now = Date.now();
    const decided = decide(index, call, {
      ...common,
      explain: { now },
      ...(pem === undefined ? {} : { clientCertificate: { pem, now } }),
    });
    const decision = isUnanswered(decided)
      ? { ...decided, trail: [...decided.trail, ...(await hintsOf(compiled, sources, flags, call))] }
      : decided;
    if (flags.output === 'json') {
      process.stdout.write(`${JSON.stringify(decision, null, 1)}\n`);
      return;
    }
    if (hasErrors(compiled.diagnostics)) process.stderr.write(renderDiagnostics(compiled.diagnostics, sources));
    process.stdout.write(renderDecision(url ?? '', call, decision));
  });
}

async function hintsOf(
  compiled: Compiled,
  sources: readonly Source[],
  flags: ConfigFlags,
  call: Call,
): Promise<readonly TrailStep[]> {
  const { diagnostics } = await new AnalysisSession().analyze(sources, await compileOptions(flags));
  const host = (call.host ?? call.sni ?? '').replace(/:\d*$/, '').toLowerCase();
  return configurationHints(compiled.store, diagnostics, host);
}

function callOf(url: string, flags: ExplainFlags): Call {
  for (const written of flags.resolve)
    if (!/^\+?[^:]+:\d+:.+$/.test(written))
      throw new CommandError(USAGE, `--resolve ${written}: expected HOST:PORT:ADDRESS`);
  const call = callOfUrl(url, {
    method: flags.request,
    headers: flags.header,
    sni: flags.sni === false ? '' : flags.sni,
    alpn: flags.alpn?.split(',').filter((protocol) => protocol !== ''),
    port: flags.port,
    plaintext: flags.plaintext === true,
    http2: flags.http2 === true,
    presentsCertificate: flags.cert !== undefined,
    random: flags.random,
  });
  if (typeof call === 'string') throw new CommandError(USAGE, call);
  return call;
}

function parsed(file: string, json: string): readonly Call[] {
  const calls = parseCalls(json);
  if (typeof calls === 'string') throw new CommandError(BAD_INPUT, `--calls ${file}: ${calls}`);
  return calls;
}

async function certificateText(file: string): Promise<string> {
  const pem = await text(file);
  if (certificatesIn(pem).length === 0) throw new CommandError(BAD_INPUT, `--cert ${file}: no certificate (PEM) in it`);
  return pem;
}

async function text(file: string): Promise<string> {
  try {
    return file === '-' ? await streamText(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new CommandError(NOT_FOUND, `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
