// `postern proxy-config SECTION`: what istiod would have sent, or what a running gateway holds; JSON in the shape of
// `istioctl proxy-config`, tables with its columns (spec dataplane.md §8.4).
import { get } from 'node:http';
import { Argument, Command, Option } from 'commander';
import { readConfigDump } from '../admin/config-dump.js';
import { asRecorded, type DumpedSnapshot, dumpSnapshot } from '../translate/published.js';
import { addConfigOptions, type ConfigFlags, compileSources, configPaths, loadSources } from './config-options.js';
import { CommandError, UNREACHABLE, USAGE } from './exit-codes.js';
import { isSection, renderSection, SECTIONS } from './proxy-config-tables.js';

interface ProxyConfigFlags extends ConfigFlags {
  readonly output: 'text' | 'json' | 'short';
  readonly admin?: string;
}

export function proxyConfigCommand(): Command {
  return addConfigOptions(
    new Command('proxy-config')
      .alias('pc')
      .description('show listeners, routes, clusters, endpoints or secrets')
      .addArgument(
        new Argument('<SECTION>', 'what to show').choices([...SECTIONS, ...SECTIONS.map((name) => name.slice(0, -1))]),
      )
      .argument('[PATH...]', 'configuration')
      .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'short', 'json']).default('text'))
      .option('--admin <URL>', 'read a running gateway instead (http://127.0.0.1:15000)'),
  ).action(async (named: string, paths: readonly string[], flags: ProxyConfigFlags) => {
    const section = named.endsWith('s') ? named : `${named}s`;
    if (!isSection(section)) throw new CommandError(USAGE, `no such section: ${named}`);
    if (flags.admin !== undefined && paths.length + flags.filename.length > 0)
      throw new CommandError(USAGE, '--admin reads a running gateway: name no files beside it');
    const dumped = flags.admin === undefined ? await fromFiles(paths, flags) : await fromAdmin(flags.admin);
    process.stdout.write(
      flags.output === 'json'
        ? `${JSON.stringify(asRecorded(dumped)[section], null, 1)}\n`
        : `${renderSection(section, dumped, flags.output === 'short').join('\n')}\n`,
    );
  });
}

async function fromFiles(paths: readonly string[], flags: ProxyConfigFlags): Promise<DumpedSnapshot> {
  const sources = await loadSources(configPaths(paths, flags));
  return dumpSnapshot((await compileSources(sources, flags)).snapshot);
}

function fromAdmin(written: string): Promise<DumpedSnapshot> {
  const url = written.includes('://') ? written : `http://${written}`;
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:')
    throw new CommandError(USAGE, `--admin ${written}: expected a URL, as in http://127.0.0.1:15000`);
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new CommandError(UNREACHABLE, `${url}: ${why}`));
    const request = get(new URL('/config_dump?include_eds', url), (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        if (response.statusCode !== 200) return fail(`answered ${response.statusCode}`);
        const published = parseDump(Buffer.concat(chunks).toString('utf8'));
        if (published === undefined) fail('the answer is no config dump');
        else resolve(published);
      });
      response.on('error', (error) => fail(error.message));
    });
    request.on('error', (error) => fail(error.message));
  });
}

function parseDump(text: string): DumpedSnapshot | undefined {
  try {
    return readConfigDump(JSON.parse(text));
  } catch {
    return undefined;
  }
}
