// A contract's configuration, ready to be asked: compiled, with its upstreams in place, nothing of it beyond loopback. In
// decide mode nothing listens; in run mode the same snapshot serves real listeners.

import { issueCertificate } from '../certs/development-ca.js';
import { isKeyPair } from '../certs/key-pair.js';
import type { Source } from '../config/load.js';
import type { Environment } from '../dataplane/environment.js';
import { decide } from '../decide/decide.js';
import type { Call, Decision } from '../decide/decision.js';
import { buildSnapshotIndex, type SnapshotIndex } from '../decide/snapshot-index.js';
import { ContractClientAuthority, ContractFile } from '../diagnostics/catalogue.js';
import { createDiagnostic, type Diagnostic } from '../diagnostics/diagnostic.js';
import type { ClientCertificate } from '../gateway/client/client-connection.js';
import { type CompileOptions, type Configuration, compile } from '../gateway/compile.js';
import { DevelopmentCertificates } from '../gateway/development-certificates.js';
import { Observation } from '../gateway/observation.js';
import { type RunningGateway, runGateway } from '../gateway/run.js';
import { readSources, readText, SourceError } from '../gateway/sources.js';
import { placeholderAddresses, silentStubs } from '../gateway/stubs.js';
import { parseUpstreamEntry, type UpstreamMapping } from '../gateway/upstream-mapping.js';
import { readWorkloadCertificates } from '../gateway/workload.js';
import { type EchoStub, startEchoStub } from '../stub/echo-stub.js';
import { type RespondingStub, startRespondingStub } from '../stub/responding-stub.js';
import type { ClientSpec, Contract, UpstreamSpec } from './contract.js';
import { ContractError } from './contract-error.js';

/** What flags and options add to what the contract says. */
export interface GatewayChanges {
  /** More configuration. */
  readonly config?: readonly Source[];
  /** Laid over the contract's own; later ones win. */
  readonly compile?: CompileOptions;
  readonly devCerts?: boolean;
  readonly stubs?: boolean;
  /** Server port → port to bind in run mode; default: any. */
  readonly ports?: ReadonlyMap<number, number>;
  /** Of chance in run mode; default 1. */
  readonly seed?: number;
}

/** A configuration that can be asked. */
export interface ContractGateway {
  readonly compiled: Configuration;
  readonly sources: readonly Source[];
  readonly index: SnapshotIndex;
  /** Upstreams by the address that their clusters have as endpoint. */
  readonly upstreams: ReadonlyMap<string, UpstreamSpec>;
  readonly clients: ReadonlyMap<string, ClientCertificate>;
  /** Run mode only. */
  readonly live?: {
    readonly gateway: RunningGateway;
    readonly observation: Observation;
    /** Each upstream gives its first answer next. */
    rewind(): void;
  };
  decide(call: Call): Decision;
  /** The same with every rule that was considered; `certificate` is the PEM that the client presents. */
  explain(call: Call, certificate?: string): Decision;
  close(): Promise<void>;
}

/** Loads and compiles; in run mode binds and listens. Throws a ContractError or a ConfigError. */
export async function openContractGateway(
  contract: Contract,
  mode: 'decide' | 'run',
  changes: GatewayChanges = {},
): Promise<ContractGateway> {
  const sources = [...(await readConfig(contract)), ...(changes.config ?? [])];
  const certificates = new DevelopmentCertificates(undefined);
  const devCerts = contract.gateway.devCerts || changes.devCerts === true;
  const base = await compileOptions(contract, changes.compile ?? {});
  return mode === 'decide'
    ? openDecide(contract, sources, base, certificates, devCerts, changes)
    : openRun(contract, sources, base, certificates, devCerts, changes);
}

async function openDecide(
  contract: Contract,
  sources: readonly Source[],
  base: CompileOptions,
  certificates: DevelopmentCertificates,
  devCerts: boolean,
  changes: GatewayChanges,
): Promise<ContractGateway> {
  // No socket is opened in this mode.
  const place = placeholderAddresses();
  const upstreams = new Map(contract.upstreams.map((upstream) => [place(), upstream]));
  const options = { ...base, upstreams: [...mappingsOf(upstreams), ...(base.upstreams ?? [])] };
  const compiled = await compile(sources, options, {
    stubs: changes.stubs === false ? undefined : silentStubs(place),
    certificates,
    devCerts,
  });
  const index = buildSnapshotIndex(compiled.snapshot);
  return {
    compiled,
    sources,
    index,
    upstreams,
    clients: await makeClients(contract, certificates),
    ...deciders(compiled, index),
    close: async () => {},
  };
}

async function openRun(
  contract: Contract,
  sources: readonly Source[],
  base: CompileOptions,
  certificates: DevelopmentCertificates,
  devCerts: boolean,
  changes: GatewayChanges,
): Promise<ContractGateway> {
  const observation = new Observation();
  const running: RespondingStub[] = [];
  const upstreams = new Map<string, UpstreamSpec>();
  let otherwise: EchoStub | undefined;
  const closeStubs = async (): Promise<void> => {
    await Promise.all([...running, ...(otherwise === undefined ? [] : [otherwise])].map((stub) => stub.close()));
  };
  try {
    for (const upstream of contract.upstreams) {
      const { key: name, answers } = upstream;
      const stub = await startRespondingStub({ name, answers, onReceived: observation.received });
      running.push(stub);
      upstreams.set(stub.address, upstream);
    }
    otherwise = await startEchoStub({ name: 'stub', onReceived: observation.received });
    const stubAddress = otherwise.address;
    const own = new Set<string>([...upstreams.keys(), ...addressesOf(base.upstreams ?? [])]);
    const gateway = await runGateway({
      ...base,
      upstreams: [...mappingsOf(upstreams), ...(base.upstreams ?? [])],
      sources,
      adapt: (machine) => sealed(machine, own, stubAddress, changes.seed ?? 1),
      anyPort: true,
      observer: observation,
      onReceived: observation.received,
      devCerts,
      certificates,
      ...(changes.stubs === undefined ? {} : { stubs: changes.stubs }),
      ...(changes.ports === undefined ? {} : { ports: changes.ports }),
    });
    const { compiled, running: current } = gateway;
    for (const name of compiled.stubbed) {
      for (const { address } of compiled.snapshot.endpoints[name] ?? []) own.add(address);
    }
    const close = async (): Promise<void> => {
      await gateway.close();
      await closeStubs();
    };
    const failed = gateway.applied.failed[0];
    if (failed !== undefined) {
      await gateway.close();
      throw new ContractError([], `cannot bind ${failed.tried}: ${failed.code}`, failed.code);
    }
    return {
      compiled,
      sources,
      index: current.index,
      upstreams,
      clients: await makeClients(contract, certificates).catch(async (error: unknown) => {
        await gateway.close();
        throw error;
      }),
      live: {
        gateway,
        observation,
        rewind: () => {
          for (const stub of running) stub.rewind();
        },
      },
      ...deciders(compiled, current.index),
      close,
    };
  } catch (error) {
    await closeStubs();
    throw error;
  }
}

function deciders(compiled: Configuration, index: SnapshotIndex): Pick<ContractGateway, 'decide' | 'explain'> {
  const options = { origins: compiled.origins, servicePorts: compiled.servicePorts };
  return {
    decide: (call) => decide(index, call, options),
    explain: (call, certificate) =>
      decide(index, call, {
        ...options,
        ...(certificate === undefined ? {} : { clientCertificate: { pem: certificate, now: Date.now() } }),
        explain: { now: Date.now() },
      }),
  };
}

/**
 * This machine's loopback and nothing else: whatever is no stub of ours becomes one, also names that only DNS knows. Chance
 * is seeded, so that a run can be repeated.
 */
function sealed(machine: Environment, own: ReadonlySet<string>, stub: string, seed: number): Environment {
  const stubPort = Number(stub.slice(stub.lastIndexOf(':') + 1));
  return {
    ...machine,
    random: seededRandom(seed),
    connect: (address, port, options) =>
      own.has(`${address}:${port}`)
        ? machine.connect(address, port, options)
        : machine.connect('127.0.0.1', stubPort, options),
    lookup: async (hostname, family) => {
      // From the block for documentation (RFC 5737): never dialled.
      if (family === 4) return [{ address: '192.0.2.1', ttl: 3600 }];
      throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
    },
  };
}

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function mappingsOf(upstreams: ReadonlyMap<string, UpstreamSpec>): UpstreamMapping[] {
  return [...upstreams]
    .map(([address, { key }]) => parseUpstreamEntry(key, address))
    .filter((one) => one !== undefined);
}

function addressesOf(mappings: readonly UpstreamMapping[]): string[] {
  return mappings.flatMap(({ targets }) => targets.map(({ address, port }) => `${address}:${port}`));
}

async function readConfig(contract: Contract): Promise<Source[]> {
  try {
    return await readSources(contract.config);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const parameters = { what: 'config', reason: error.message };
    throw new ContractError(
      [createDiagnostic(ContractFile, contract.configOrigin, parameters)],
      error.message,
      'ENOENT',
    );
  }
}

async function compileOptions(contract: Contract, changes: CompileOptions): Promise<CompileOptions> {
  const spec = contract.gateway;
  const meshConfig =
    spec.meshConfig === undefined
      ? undefined
      : { file: spec.meshConfig, text: await textOf(contract, 'gateway.meshConfig', spec.meshConfig), named: true };
  const workload = spec.workloadCerts === undefined ? undefined : await readIdentity(contract, spec.workloadCerts);
  const { proxy = {} } = changes;
  return {
    namespace: changes.namespace ?? spec.namespace,
    meshConfig: changes.meshConfig ?? meshConfig,
    mesh: changes.mesh,
    proxy: {
      ...(spec.gatewayNamespace === undefined ? {} : { namespace: spec.gatewayNamespace }),
      ...proxy,
      labels: { ...spec.gatewayLabels, ...proxy.labels },
      metadata: { ...spec.nodeMetadata, ...proxy.metadata },
    },
    upstreams: changes.upstreams ?? [],
    assumeServices: changes.assumeServices ?? spec.assumeServices,
    workloadCertificates: changes.workloadCertificates ?? workload,
    trustUpstreams: true,
  };
}

async function readIdentity(contract: Contract, folder: string): ReturnType<typeof readWorkloadCertificates> {
  try {
    return await readWorkloadCertificates(folder);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    const parameters = { what: 'gateway.workloadCerts', reason: error.message };
    throw new ContractError(
      [createDiagnostic(ContractFile, contract.gatewayOrigin, parameters)],
      error.message,
      'ENOENT',
    );
  }
}

async function makeClients(
  contract: Contract,
  certificates: DevelopmentCertificates,
): Promise<ReadonlyMap<string, ClientCertificate>> {
  const clients = new Map<string, ClientCertificate>();
  const problems: Diagnostic[] = [];
  for (const spec of contract.clients) {
    const made = await makeClient(contract, spec, certificates);
    if ('code' in made) problems.push(made);
    else clients.set(spec.name, made);
  }
  if (problems.length > 0) throw new ContractError(problems, problems[0]?.message ?? '', 'CLIENT');
  return clients;
}

async function makeClient(
  contract: Contract,
  spec: ClientSpec,
  certificates: DevelopmentCertificates,
): Promise<ClientCertificate | Diagnostic> {
  if (spec.kind === 'files') {
    const cert = await textOf(contract, `clients.${spec.name}.cert`, spec.cert, spec);
    const key = await textOf(contract, `clients.${spec.name}.key`, spec.key, spec);
    if (isKeyPair({ certificate: cert, privateKey: key })) return { cert, key };
    const parameters = { what: `clients.${spec.name}`, reason: 'the files hold no PEM certificate and private key' };
    return createDiagnostic(ContractFile, spec.origin, parameters);
  }
  if (spec.signedBy === 'gateway' && !certificates.isUsed) {
    return createDiagnostic(ContractClientAuthority, spec.origin, { name: spec.name });
  }
  const authority = spec.signedBy === 'gateway' ? await certificates.ca() : undefined;
  const { commonName, dnsNames, uris } = spec;
  const pair = await issueCertificate(authority, { commonName, dnsNames, uris, usage: 'client' });
  return { cert: pair.certificate, key: pair.privateKey };
}

async function textOf(contract: Contract, what: string, file: string, spec?: ClientSpec): Promise<string> {
  try {
    return await readText(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const diagnostic = createDiagnostic(ContractFile, spec?.origin ?? contract.gatewayOrigin, { what, reason });
    throw new ContractError([diagnostic], `${what}: ${reason}`, 'ENOENT');
  }
}
