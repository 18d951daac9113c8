// `--dev-certs`: a certificate for each credentialName that has no Secret, signed by a development CA, as if somebody
// had created those Secrets. Made once per name and host list; a reload reuses them.
import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createDevelopmentCa, issueCertificate } from '../certs/development-ca.js';
import type { KeyPair } from '../certs/key-pair.js';
import type { Resource } from '../config/model/resource.js';
import type { Store } from '../config/store.js';
import type { GatewayProxy, WorkloadCertificates } from '../registry/push-context.js';
import { readStoredPair } from './stored-pair.js';

/** A Secret that nobody wrote, and the hosts that its certificate covers. */
export interface DevelopmentSecret {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly resource: Resource<'Secret'>;
}

/** A Secret that a Gateway names and nobody wrote; plain data. */
export interface MissingSecret {
  readonly name: string;
  /** Sorted. */
  readonly hosts: readonly string[];
  /** Client certificates are asked for, and nothing says who signs them. */
  readonly needsCa: boolean;
}

/** How long another process may take between its key and its certificate: 50 times 20 ms. */
const ATTEMPTS = 50;
const PAUSE = 20;

/** The development CA and what it has issued. Everything is made on first use; failures reject and are tried again. */
export class DevelopmentCertificates {
  private readonly folder: string | undefined;
  private readonly issued = new Map<string, Promise<KeyPair>>();
  private caPair: Promise<KeyPair> | undefined = undefined;

  /** `folder` keeps the CA and a client certificate between runs (mode 0600); without it they live in memory. */
  constructor(folder: string | undefined) {
    this.folder = folder;
  }

  /** True once something was signed: somebody trusts the CA. */
  get isUsed(): boolean {
    return this.caPair !== undefined;
  }

  ca(): Promise<KeyPair> {
    this.caPair ??= this.stored('ca', () => createDevelopmentCa());
    return this.caPair;
  }

  /** A client certificate that MUTUAL servers with a development Secret accept. */
  client(): Promise<KeyPair> {
    return this.once('client', async () => {
      const ca = await this.ca();
      return this.stored('client', () =>
        issueCertificate(ca, { commonName: 'postern development client', usage: 'client' }),
      );
    });
  }

  /** File of the CA certificate, for `curl --cacert` and browsers; `undefined` without a folder. */
  caFile(): string | undefined {
    return this.folder === undefined ? undefined : path.join(this.folder, 'ca.crt');
  }

  clientFiles(): { readonly cert: string; readonly key: string } | undefined {
    return this.folder === undefined
      ? undefined
      : { cert: path.join(this.folder, 'client.crt'), key: path.join(this.folder, 'client.key') };
  }

  /** Makes what `findMissingSecrets` has found: the data of each Secret, in that order. */
  async issueSecrets(missing: readonly MissingSecret[]): Promise<readonly Readonly<Record<string, string>>[]> {
    const made: Readonly<Record<string, string>>[] = [];
    for (const { name, hosts, needsCa } of missing) {
      const ca = await this.ca();
      const pair = await this.once(`${name}\n${hosts.join('\n')}`, () => issueCertificate(ca, serverRequest(hosts)));
      const data = { 'tls.crt': pair.certificate, 'tls.key': pair.privateKey };
      made.push(needsCa ? { ...data, 'ca.crt': ca.certificate } : data);
    }
    return made;
  }

  /** An identity of the mesh for ISTIO_MUTUAL, when `--workload-certs` gives none. */
  async workloadIdentity(proxy: GatewayProxy): Promise<WorkloadCertificates> {
    const ca = await this.ca();
    const uri = `spiffe://${proxy.domain}/ns/${proxy.namespace}/sa/istio-ingressgateway-service-account`;
    const pair = await this.once(uri, () =>
      issueCertificate(ca, { commonName: '', organization: proxy.domain, uris: [uri], usage: 'both' }),
    );
    return { certificateChain: pair.certificate, privateKey: pair.privateKey, root: ca.certificate };
  }

  private once(key: string, make: () => Promise<KeyPair>): Promise<KeyPair> {
    let made = this.issued.get(key);
    if (made === undefined) {
      made = make();
      this.issued.set(key, made);
      // Whoever asked hears of the failure; the next one tries again.
      made.catch(() => this.issued.delete(key));
    }
    return made;
  }

  private async stored(name: string, make: () => Promise<KeyPair>): Promise<KeyPair> {
    if (this.folder === undefined) return make();
    const known = await readStoredPair(this.folder, name);
    if (known !== undefined) return known;
    const pair = await make();
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    // Several processes may start at once (`--concurrency`): the key that is there first counts for all.
    if (!(await writeFirst(path.join(this.folder, `${name}.key`), pair.privateKey, 0o600))) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const other = await readStoredPair(this.folder, name).catch(() => undefined);
        if (other !== undefined) return other;
        await wait(PAUSE);
      }
      await writeWhole(path.join(this.folder, `${name}.key`), pair.privateKey, 0o600);
    }
    await writeWhole(path.join(this.folder, `${name}.crt`), pair.certificate, 0o644);
    return pair;
  }
}

/** The credential names of the Gateways that have no Secret in the gateway's namespace. */
export function findMissingSecrets(store: Store, proxy: GatewayProxy): readonly MissingSecret[] {
  return [...wantedSecrets(store, proxy)].map(([name, { hosts, mutual }]) => ({
    name,
    hosts: [...hosts].sort(),
    needsCa: mutual && store.get('Secret', proxy.namespace, `${name}-cacert`) === undefined,
  }));
}

/** The Secrets themselves, with the data that was issued for `findMissingSecrets`. */
export function developmentSecrets(
  store: Store,
  proxy: GatewayProxy,
  issued: readonly Readonly<Record<string, string>>[],
): readonly DevelopmentSecret[] {
  return [...wantedSecrets(store, proxy)].map(([name, { hosts, gateway }], index) => ({
    name,
    hosts: [...hosts].sort(),
    resource: secretResource(proxy.namespace, name, issued[index] ?? {}, gateway),
  }));
}

interface WantedSecret {
  readonly hosts: Set<string>;
  mutual: boolean;
  readonly gateway: Resource<'Gateway'>;
}

function wantedSecrets(store: Store, proxy: GatewayProxy): ReadonlyMap<string, WantedSecret> {
  const wanted = new Map<string, WantedSecret>();
  for (const gateway of store.all('Gateway')) {
    for (const server of gateway.spec.servers) {
      const tls = server.tls;
      if (tls === undefined || !('certificates' in tls) || tls.certificates.kind !== 'credential') continue;
      for (const written of tls.certificates.names) {
        const name = secretName(written, proxy.namespace);
        if (name === undefined || store.get('Secret', proxy.namespace, name) !== undefined) continue;
        const entry = wanted.get(name) ?? { hosts: new Set<string>(), mutual: false, gateway };
        for (const host of server.hosts) entry.hosts.add(host.slice(host.indexOf('/') + 1));
        entry.mutual ||= tls.mode !== 'SIMPLE';
        wanted.set(name, entry);
      }
    }
  }
  return wanted;
}

/** True when something in the files makes the gateway show or check a mesh identity. */
export function needsWorkloadIdentity(store: Store): boolean {
  const isSidecar = (labels: Readonly<Record<string, string>>): boolean =>
    labels['security.istio.io/tlsMode'] === 'istio';
  return (
    store
      .all('Gateway')
      .some((gateway) =>
        gateway.spec.servers.some(
          ({ tls }) =>
            tls?.mode === 'ISTIO_MUTUAL' ||
            (tls !== undefined &&
              'certificates' in tls &&
              tls.certificates.kind === 'credential' &&
              tls.certificates.names.includes('builtin://')),
        ),
      ) ||
    store
      .all('DestinationRule')
      .some(({ spec }) =>
        [spec.trafficPolicy, ...spec.subsets.map((subset) => subset.trafficPolicy)].some(
          (policy) =>
            policy?.tls?.mode === 'ISTIO_MUTUAL' ||
            policy?.portLevelSettings.some(({ tls }) => tls?.mode === 'ISTIO_MUTUAL') === true,
        ),
      ) ||
    store.all('Pod').some((pod) => isSidecar(pod.metadata.labels)) ||
    store.all('WorkloadEntry').some((entry) => isSidecar(entry.spec.labels) || isSidecar(entry.metadata.labels)) ||
    store.all('ServiceEntry').some((entry) => entry.spec.endpoints.some((endpoint) => isSidecar(endpoint.labels)))
  );
}

// Only spellings that mean a Secret of the gateway's own namespace (spec gateway.md §8.1).
function secretName(credentialName: string, namespace: string): string | undefined {
  const bare = credentialName.replace(/^kubernetes:\/\//, '');
  if (bare.includes('://')) return undefined;
  const slash = bare.indexOf('/');
  if (slash === -1) return bare;
  return bare.slice(0, slash) === namespace ? bare.slice(slash + 1) : undefined;
}

function serverRequest(hosts: readonly string[]): Parameters<typeof issueCertificate>[1] {
  // A certificate has no name for "everything": a catch-all server gets the names of this machine.
  const dnsNames = hosts.flatMap((host) => (host === '*' ? ['localhost', '*.localhost'] : [host.toLowerCase()]));
  return {
    commonName: dnsNames[0] ?? 'localhost',
    dnsNames,
    ...(hosts.includes('*') ? { ipAddresses: ['127.0.0.1'] } : {}),
    usage: 'server',
  };
}

function secretResource(
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>>,
  gateway: Resource<'Gateway'>,
): Resource<'Secret'> {
  return {
    kind: 'Secret',
    apiVersion: 'v1',
    metadata: { name, namespace, labels: {}, annotations: {}, creationTimestamp: 0 },
    spec: { type: 'kubernetes.io/tls', data },
    origin: gateway.origin,
    at: () => gateway.origin,
  };
}

/** False when the file is there already. */
async function writeFirst(file: string, text: string, mode: number): Promise<boolean> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, file);
}
