// Finds certificates beside the configuration that make the printed commands work as they are: the CA file that a
// client needs to trust a server, and a client certificate with its key that a MUTUAL server accepts.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { commonName, subjectAltNames } from '../decide/certificate-facts.js';
import type { Secret } from '../xds/index.js';
import type { ClientMaterial } from './start-table.js';

interface CertificateFile {
  readonly file: string;
  readonly certificate: X509Certificate;
  readonly key: string | undefined;
}

/** Where the development CA of this user is kept. */
export function developmentFolder(): string {
  return path.join(process.env['XDG_DATA_HOME'] ?? path.join(homedir(), '.local', 'share'), 'postern');
}

/** Certificates in the folders of the configuration, in `certs/` below and beside them. */
export class CertificateFiles {
  private readonly files: readonly CertificateFile[];

  private constructor(files: readonly CertificateFile[]) {
    this.files = files;
  }

  static async find(configPaths: readonly string[]): Promise<CertificateFiles> {
    const folders = new Set<string>();
    for (const location of configPaths) {
      if (location === '-') continue;
      const isFolder = (await stat(location).catch(() => undefined))?.isDirectory() === true;
      const folder = isFolder ? location : path.dirname(location);
      folders
        .add(folder)
        .add(path.join(folder, 'certs'))
        .add(path.join(path.dirname(folder), 'certs'));
    }
    const found: CertificateFile[] = [];
    for (const folder of folders) found.push(...(await readFolder(folder)));
    return new CertificateFiles(found);
  }

  /** What a client needs for a server with this certificate and this client CA. */
  materialFor(server: Secret | undefined, clientCa: Secret | undefined): ClientMaterial {
    const ca = server?.kind === 'tls_certificate' ? this.authorityOf(server.certificateChain) : undefined;
    const leaf = server?.kind === 'tls_certificate' ? parse(server.certificateChain) : undefined;
    const client = clientCa?.kind === 'validation_context' ? this.clientOf(clientCa.trustedCa) : undefined;
    return {
      ...(leaf === undefined ? {} : { names: dnsNames(leaf) }),
      ...(ca === undefined ? {} : { caFile: ca.file }),
      ...(client?.key === undefined ? {} : { cert: client.file, key: client.key }),
    };
  }

  private authorityOf(chain: string): CertificateFile | undefined {
    const leaf = parse(chain);
    if (leaf === undefined) return undefined;
    return this.files.find(({ certificate }) =>
      certificate.fingerprint256 === leaf.fingerprint256
        ? isSelfSigned(leaf)
        : certificate.ca && isIssuedBy(leaf, certificate),
    );
  }

  private clientOf(trusted: string): CertificateFile | undefined {
    const authorities = trusted.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    const parsed = authorities.map(parse).filter((authority) => authority !== undefined);
    return this.files.find(
      ({ certificate, key }) =>
        key !== undefined && !certificate.ca && parsed.some((authority) => isIssuedBy(certificate, authority)),
    );
  }
}

async function readFolder(folder: string): Promise<CertificateFile[]> {
  const names = await readdir(folder).catch(() => []);
  const found: CertificateFile[] = [];
  for (const name of names.sort()) {
    if (!/\.(crt|pem|cert)$/.test(name)) continue;
    const file = path.join(folder, name);
    const certificate = parse(await readFile(file, 'utf8').catch(() => ''));
    if (certificate === undefined) continue;
    found.push({ file, certificate, key: await keyOf(file, certificate) });
  }
  return found;
}

async function keyOf(file: string, certificate: X509Certificate): Promise<string | undefined> {
  const key = file.replace(/\.\w+$/, '.key');
  try {
    return certificate.checkPrivateKey(createPrivateKey(await readFile(key))) ? key : undefined;
  } catch {
    return undefined;
  }
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return pem === '' ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  } catch {
    return false;
  }
}

// As curl checks them: the subject's common name counts where there is no alternative name.
function dnsNames(certificate: X509Certificate): readonly string[] {
  const names = subjectAltNames(certificate);
  if (names.length > 0) return names.filter(({ type }) => type === 'DNS').map(({ value }) => value);
  const name = commonName(certificate);
  return name === '' ? [] : [name];
}
