// The contract that `postern init` writes: a test for each host and rule of a configuration, expecting what happens now.
import { isChance, isForwarded } from '../contract/decided-facts.js';
import { decide } from '../decide/decide.js';
import type { Call, Decision } from '../decide/decision.js';
import { ROOT, type SampleRequest, sampleRequests } from '../decide/sample-request.js';
import { buildSnapshotIndex, type SnapshotIndex } from '../decide/snapshot-index.js';
import type { Compiled } from '../gateway/compile.js';
import { subsetOrName } from '../gateway/upstream-mapping.js';
import {
  type FilterChain,
  HTTP_CONNECTION_MANAGER,
  isBlackhole,
  type Listener,
  TLS_INSPECTOR,
  type VirtualHost,
} from '../xds/index.js';

/** One test, as it will be written. */
export interface FirstTest {
  readonly name: string;
  /** Lines below the name. */
  readonly lines: readonly string[];
}

/** Rules of one host that get a test; a first contract is to be read. */
const MAX_RULES = 12;
const CLIENT = 'client';

/** A test per host and rule. Servers that trust a CA of ours get a client that has a certificate, too. */
export function firstTests(compiled: Compiled): readonly FirstTest[] {
  return new FirstContract(compiled).tests();
}

/** The whole file. Paths are relative to where it will be. */
export function renderFirstContract(
  tests: readonly FirstTest[],
  options: {
    readonly config: readonly string[];
    readonly devCerts: boolean;
    readonly exceptions: readonly string[];
    /** Further lines of the `gateway` block. */
    readonly gateway: readonly string[];
  },
): string {
  const usesClient = tests.some(({ lines }) => lines.some((line) => line.includes(`client: ${CLIENT}`)));
  const gateway = [
    ...(options.devCerts ? ['  devCerts: true'] : []),
    ...options.gateway.map((line) => `  ${line}`),
    ...(options.exceptions.length === 0
      ? []
      : [
          '  # In use and not emulated: the real gateway may answer differently. Accepted for now.',
          `  allowUnemulated: [${options.exceptions.map(quote).join(', ')}]`,
        ]),
  ];
  const lines = [
    '# yaml-language-server: $schema=node_modules/postern/config/contract.schema.json',
    '# What the configuration does now, as postern init found it. Keep what must stay true, name it in your words.',
    'contract: v1',
    `config: [${options.config.map(quote).join(', ')}]`,
    ...(usesClient ? ['clients:', `  ${CLIENT}: { generate: { signedBy: gateway } }`] : []),
    ...(gateway.length === 0 ? [] : ['gateway:', ...gateway]),
    'tests:',
    ...tests.flatMap(({ name, lines }) => [`- name: ${quote(name)}`, ...lines.map((line) => `  ${line}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

class FirstContract {
  private readonly compiled: Compiled;
  private readonly index: SnapshotIndex;
  private readonly ports: ReadonlyMap<number, number>;
  private readonly found = new Map<string, FirstTest>();

  /** The chain that is looked at trusts a CA that postern made. */
  private trustsUs = false;

  constructor(compiled: Compiled) {
    this.compiled = compiled;
    this.index = buildSnapshotIndex(compiled.snapshot);
    this.ports = compiled.servicePorts;
  }

  tests(): readonly FirstTest[] {
    for (const { entry } of this.index.listeners.values()) {
      if (entry.state === 'active' && entry.listener !== undefined) this.addListener(entry.listener);
    }
    return [...this.found.values()];
  }

  private addListener(listener: Listener): void {
    if (!('socket_address' in listener.address)) return;
    const container = listener.address.socket_address.port_value;
    const port = [...this.ports].find(([, target]) => target === container)?.[0] ?? container;
    for (const chain of listener.filter_chains) {
      // One chain per service of the mesh, of which most lead nowhere.
      if (chain.filter_chain_match?.application_protocols === undefined) this.addChain(chain, port);
    }
    const hasCatchAll = listener.filter_chains.some((chain) => chain.filter_chain_match?.server_names === undefined);
    const inspects = (listener.listener_filters ?? []).some(({ name }) => name === TLS_INSPECTOR);
    if (!inspects || hasCatchAll) return;
    this.add('https', port, 'unknown.invalid', ROOT, `unknown names are closed on port ${port}`);
  }

  private addChain(chain: FilterChain, port: number): void {
    const validation = chain.transport_socket?.typed_config.common_tls_context.combined_validation_context;
    const authority = validation?.validation_context_sds_secret_config.name ?? '';
    this.trustsUs = this.compiled.developmentSecrets.some(
      (name) => authority === `kubernetes://${name}` || authority === `kubernetes://${name}-cacert`,
    );
    const names = chain.filter_chain_match?.server_names;
    const table = chain.filters.find((filter) => filter.name === HTTP_CONNECTION_MANAGER);
    const isTls = chain.transport_socket !== undefined || names !== undefined;
    if (table?.name !== HTTP_CONNECTION_MANAGER) {
      // Without a name and without TLS the protocol is the client's business: nothing that a URL could ask.
      for (const name of isTls ? (names ?? []) : []) this.add('https', port, concrete(name), ROOT);
      return;
    }
    const config = this.compiled.snapshot.routes.find(({ name }) => name === table.typed_config.rds.route_config_name);
    for (const virtualHost of config?.virtual_hosts ?? []) {
      if (!isBlackhole(virtualHost)) this.addHost(virtualHost, isTls ? 'https' : 'http', port);
    }
  }

  private addHost(virtualHost: VirtualHost, scheme: 'http' | 'https', port: number): void {
    const host = concrete(virtualHost.domains[0] ?? '*');
    const samples = virtualHost.require_tls === 'ALL' ? [ROOT] : sampleRequests(virtualHost).slice(0, MAX_RULES);
    for (const sample of samples.length === 0 ? [ROOT] : samples) this.add(scheme, port, host, sample);
  }

  private add(scheme: 'http' | 'https', port: number, host: string, sample: SampleRequest, name?: string): void {
    const usual = scheme === 'https' ? 443 : 80;
    const authority = port === usual ? host : `${host}:${port}`;
    const headers = Object.fromEntries(sample.headers);
    const call: Call = {
      port,
      tls: scheme === 'https' ? 'tls' : 'plaintext',
      host: authority,
      ...(scheme === 'https' ? { sni: host } : {}),
      method: sample.method,
      path: sample.path,
      headers,
    };
    const options = { servicePorts: this.ports };
    const first = decide(this.index, call, options);
    // Unless the file makes its own clients, only the refusal can be shown.
    const wantsClient = first.error === 'mtls_error' && this.trustsUs;
    const decision = wantsClient ? decide(this.index, { ...call, tls: 'mtls' }, options) : first;
    const request = [
      `url: ${quote(`${scheme}://${authority}${sample.path}`)}`,
      ...(sample.method === 'GET' ? [] : [`method: ${sample.method}`]),
      ...(sample.headers.length === 0
        ? []
        : [
            `headers: { ${Object.entries(headers)
              .map(([key, value]) => `${quote(key)}: ${quote(value)}`)
              .join(', ')} }`,
          ]),
      ...(wantsClient ? [`client: ${CLIENT}`] : []),
    ];
    const lines = [`request: { ${request.join(', ')} }`, `expect: { ${expectation(decision).join(', ')} }`];
    const title = name ?? describe(sample.method, `${authority}${sample.path}`, Object.keys(headers), decision);
    if (wantsClient) {
      const refusal = [`request: { ${request.slice(0, -1).join(', ')} }`, 'expect: { error: mtls_error }'];
      this.put({ name: `${authority} wants a certificate`, lines: refusal });
    }
    this.put({ name: title, lines });
  }

  private put(test: FirstTest): void {
    if (!this.found.has(test.name)) this.found.set(test.name, test);
  }
}

function expectation(decision: Decision): string[] {
  const { error, status, location, flags, cluster } = decision;
  if (!isForwarded(decision)) {
    return [
      ...(status === undefined ? [] : [`status: ${status}`]),
      ...(error === undefined ? [] : [`error: ${error}`]),
      ...(location === undefined ? [] : [`location: ${quote(location)}`]),
      ...(status === undefined && error === undefined && flags !== undefined ? [`flags: ${quote(flags)}`] : []),
    ];
  }
  if (isChance(decision)) {
    const weights = (decision.weightedClusters ?? []).filter(({ weight }) => weight > 0);
    return [`split: { ${weights.map((one) => `${quote(subsetOrName(one.cluster))}: ${one.weight}`).join(', ')} }`];
  }
  return [
    `route: { cluster: ${quote(cluster ?? '')} }`,
    ...(decision.routeConfig === undefined ? [] : ['status: 200']),
  ];
}

function describe(method: string, target: string, headers: readonly string[], decision: Decision): string {
  const asked = `${method === 'GET' ? '' : `${method} `}${target}${headers.length === 0 ? '' : ` with ${headers.join(', ')}`}`;
  if (isChance(decision)) return `${asked} is split`;
  if (isForwarded(decision)) return `${asked} goes to ${decision.cluster ?? ''}`;
  if (decision.location !== undefined) return `${asked} is redirected`;
  if (decision.status !== undefined) return `${asked} is answered with ${decision.status}`;
  return `${asked} ends in ${decision.error ?? 'nothing'}`;
}

/** A name that a wildcard covers. */
function concrete(host: string): string {
  if (host === '*') return 'any.example.com';
  return host.startsWith('*.') ? `www${host.slice(1)}` : host;
}

/** Plain where YAML leaves it as it is. */
export function quote(text: string): string {
  return /^[A-Za-z][\w./*-]*$/.test(text) && !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
