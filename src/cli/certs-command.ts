// `postern certs`: a development CA, server and client certificates, and the Secrets as YAML.
import { mkdir, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { Command } from 'commander';
import { createDevelopmentCa, issueCertificate } from '../certs/development-ca.js';
import type { KeyPair } from '../certs/key-pair.js';
import { renderCaSecret, renderTlsSecret } from '../certs/secret-yaml.js';
import { loadConfig } from '../config/load.js';
import { hasErrors } from '../diagnostics/diagnostic.js';
import { renderDiagnostics } from '../diagnostics/render.js';
import { readStoredPair } from '../gateway/stored-pair.js';
import { addConfigOptions, type ConfigFlags, loadSources } from './config-options.js';
import { BAD_INPUT, CommandError, NOT_FOUND, USAGE } from './exit-codes.js';

interface CertsFlags extends ConfigFlags {
  readonly out: string;
  readonly host: readonly string[];
}

/** One server certificate to make. */
interface Wanted {
  readonly credential: string;
  readonly hosts: readonly string[];
  readonly mutual: boolean;
}

export function certsCommand(): Command {
  return addConfigOptions(
    new Command('certs')
      .description('make a development CA, server and client certificates, and Secrets as YAML')
      .argument('[PATH...]', 'Gateways whose credentialNames get a certificate')
      .requiredOption('--out <DIR>', 'folder to write to')
      .option(
        '--host <HOST>',
        'make a certificate for this host too (repeatable)',
        (value: string, previous: readonly string[]) => [...previous, value],
        [] as readonly string[],
      ),
  ).action(async (paths: readonly string[], flags: CertsFlags) => {
    const wanted = (await fromGateways([...paths, ...flags.filename], flags)).filter(canBeSecret);
    wanted.push(...flags.host.map(fromHost));
    if (wanted.length === 0)
      throw new CommandError(USAGE, 'nothing to make: name Gateways that have a credentialName, or --host');
    await mkdir(flags.out, { recursive: true }).catch((error: Error) => {
      throw new CommandError(NOT_FOUND, `cannot write to ${flags.out}: ${error.message}`);
    });
    const ca = await authority(flags.out);
    const client = await issueCertificate(ca, { commonName: 'development client', usage: 'client' });
    await write(flags.out, 'client', client);
    const secrets: string[] = [];
    for (const { credential, hosts, mutual } of wanted) {
      const names = hosts.map((host) => (host === '*' ? 'localhost' : host));
      const pair = await issueCertificate(ca, {
        commonName: names[0] ?? 'localhost',
        dnsNames: names.filter((name) => isIP(name) === 0),
        ipAddresses: names.filter((name) => isIP(name) !== 0),
        usage: 'server',
      });
      await write(flags.out, OURS.has(credential) ? `${credential}-server` : credential, pair);
      secrets.push(renderTlsSecret(flags.gatewayNamespace, credential, pair));
      if (mutual) secrets.push(renderCaSecret(flags.gatewayNamespace, `${credential}-cacert`, ca.certificate));
      process.stdout.write(`${credential}: ${names.join(', ')}${mutual ? ' (MUTUAL: client.crt, client.key)' : ''}\n`);
    }
    const file = path.join(flags.out, 'secrets.yaml');
    await writeFile(file, secrets.join('---\n'), { mode: 0o600 });
    process.stderr.write(`wrote ${file}, ${path.join(flags.out, 'ca.crt')} and the pairs beside them\n`);
  });
}

async function fromGateways(paths: readonly string[], flags: CertsFlags): Promise<Wanted[]> {
  if (paths.length === 0) return [];
  const sources = await loadSources(paths);
  const { store, diagnostics } = loadConfig(sources, { namespace: flags.namespace });
  if (hasErrors(diagnostics)) {
    process.stderr.write(renderDiagnostics(diagnostics, sources));
    throw new CommandError(BAD_INPUT, 'the configuration has errors');
  }
  const wanted = new Map<string, { hosts: Set<string>; mutual: boolean }>();
  for (const gateway of store.all('Gateway')) {
    for (const { tls, hosts } of gateway.spec.servers) {
      if (tls === undefined || !('certificates' in tls) || tls.certificates.kind !== 'credential') continue;
      for (const written of tls.certificates.names) {
        const name = written.replace(/^kubernetes:\/\//, '').replace(/^[^/]*\//, '');
        const entry = wanted.get(name) ?? { hosts: new Set<string>(), mutual: false };
        for (const host of hosts) entry.hosts.add(host.slice(host.indexOf('/') + 1));
        entry.mutual ||= tls.mode !== 'SIMPLE';
        wanted.set(name, entry);
      }
    }
  }
  return [...wanted].map(([credential, { hosts, mutual }]) => ({ credential, hosts: [...hosts].sort(), mutual }));
}

/** Pairs that the folder has for all hosts; a server's pair of that name must not take their place. */
const OURS: ReadonlySet<string> = new Set(['ca', 'client']);

/** What Kubernetes takes as the name of a Secret; anything else could also be a path that leads out of the folder. */
const SECRET_NAME = /^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$/;

function canBeSecret({ credential }: Wanted): boolean {
  const can = SECRET_NAME.test(credential);
  if (!can) process.stderr.write(`credentialName ${JSON.stringify(credential)} is no name of a Secret: left out\n`);
  return can;
}

function fromHost(written: string): Wanted {
  const host = written.toLowerCase();
  const isIpv6 = isIP(host) === 6;
  const credential = isIpv6 ? `ip${host.replaceAll(':', '-')}` : host.replace(/^\*\./, 'wildcard.');
  if (!SECRET_NAME.test(credential))
    throw new CommandError(USAGE, `--host ${written}: expected a host, *.HOST or an IP address`);
  return { credential, hosts: [host], mutual: false };
}

// A second run adds to what is there: clients that trust the CA go on to do so.
async function authority(folder: string): Promise<KeyPair> {
  const known = await readStoredPair(folder, 'ca').catch((error: Error) => {
    throw new CommandError(BAD_INPUT, `the CA in ${folder} cannot be read: ${error.message}`);
  });
  if (known !== undefined) return known;
  const ca = await createDevelopmentCa();
  await write(folder, 'ca', ca);
  return ca;
}

async function write(folder: string, name: string, pair: KeyPair): Promise<void> {
  await writeFile(path.join(folder, `${name}.key`), pair.privateKey, { mode: 0o600 });
  await writeFile(path.join(folder, `${name}.crt`), pair.certificate);
}
