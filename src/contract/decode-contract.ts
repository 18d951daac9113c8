// The text of a contract file to a Contract, or to everything that is wrong with it, each at its place.
import path from 'node:path';
import { parseYaml } from '../config/yaml/parse.js';
import { isNull, type YamlNode } from '../config/yaml/tree.js';
import {
  ContractClientUnknown,
  ContractClientUnused,
  ContractDuplicateKey,
  ContractKeyMissing,
  ContractOptions,
  ContractTestEmpty,
  ContractUpstreamKey,
  ContractWithoutTests,
  NotAContract,
  YamlSyntax,
} from '../diagnostics/catalogue.js';
import { type Diagnostic, hasErrors } from '../diagnostics/diagnostic.js';
import { planFetch } from '../gateway/client/fetch.js';
import { parseUpstreamEntry } from '../gateway/upstream-mapping.js';
import type { StubAnswer } from '../stub/responding-stub.js';
import type { ClientSpec, Contract, GatewaySpec, Step, TestCase, UpstreamSpec } from './contract.js';
import { CONTRACT_SHAPE } from './contract-shape.js';
import { decodeExpectation, isTrue, numberOf, scalarText, under } from './decode-expectation.js';
import { decodeSteps } from './decode-request.js';
import { FileReader } from './file-reader.js';
import { checkShape } from './shape.js';

/** `contract` is absent when there are errors. */
export interface DecodedContract {
  readonly contract?: Contract;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a contract. Paths in it count from the folder of `file`. Never throws for what is written. */
export function decodeContract(file: string, text: string): DecodedContract {
  const reader = new FileReader(file, text);
  const root = readRoot(reader);
  if (root === undefined) return { diagnostics: reader.diagnostics };
  const isGood = checkShape(root, CONTRACT_SHAPE, '', (type, span, parameters, details) =>
    reader.report(type, span, parameters, details),
  );
  const tests = under(root, 'tests');
  if (tests?.kind === 'list' && tests.items.length === 0) reader.report(ContractWithoutTests, tests);
  if (!isGood) return { diagnostics: reader.diagnostics };
  const contract = new ContractDecoder(reader, path.dirname(file)).decode(root, file);
  return { ...(hasErrors(reader.diagnostics) ? {} : { contract }), diagnostics: reader.diagnostics };
}

function readRoot(reader: FileReader): YamlNode | undefined {
  const documents = parseYaml(reader.text).filter(({ root, problems }) => problems.length > 0 || root !== undefined);
  for (const { problems } of documents) {
    for (const problem of problems) {
      if (problem.kind === 'syntax') reader.report(YamlSyntax, problem.span, { reason: problem.reason });
      else {
        const { line } = reader.origin(problem.first);
        reader.report(ContractDuplicateKey, problem.span, { key: problem.key, firstLine: line });
      }
    }
  }
  if (reader.diagnostics.length > 0) return undefined;
  const root = documents[0]?.root;
  if (root === undefined || isNull(root) || (root.kind === 'map' && under(root, 'contract') === undefined)) {
    const found =
      root !== undefined && under(root, 'kind') !== undefined ? 'an Istio or Kubernetes object' : 'something else';
    reader.report(NotAContract, root ?? { start: 0, end: 0 }, { found });
    return undefined;
  }
  const second = documents[1]?.root;
  if (second !== undefined) {
    reader.report(NotAContract, second, { found: 'a second document' });
    return undefined;
  }
  return root;
}

class ContractDecoder {
  private readonly reader: FileReader;
  private readonly folder: string;

  constructor(reader: FileReader, folder: string) {
    this.reader = reader;
    this.folder = folder;
  }

  decode(root: YamlNode, file: string): Contract {
    const config = under(root, 'config') as YamlNode;
    const clients = this.clients(under(root, 'clients'));
    const tests = this.tests(under(root, 'tests'));
    this.checkClients(clients, tests);
    const gateway = under(root, 'gateway');
    return {
      file,
      text: this.reader.text,
      config: (config.kind === 'list' ? config.items : [config]).map((item) => this.resolve(scalarText(item))),
      configOrigin: this.reader.origin(config),
      clients,
      gateway: this.gateway(gateway),
      gatewayOrigin: this.reader.origin(gateway ?? root),
      upstreams: this.upstreams(under(root, 'upstreams')),
      tests,
    };
  }

  private clients(node: YamlNode | undefined): ClientSpec[] {
    const clients: ClientSpec[] = [];
    if (node?.kind !== 'map') return clients;
    for (const { key: name, keySpan, value } of node.entries) {
      const origin = this.reader.origin(keySpan);
      const generate = under(value, 'generate');
      const cert = under(value, 'cert');
      const key = under(value, 'key');
      if (name === 'none')
        this.reader.report(ContractOptions, keySpan, { why: '`none` means a client without a certificate' });
      if (generate !== undefined && (cert !== undefined || key !== undefined)) {
        this.reader.report(ContractOptions, keySpan, { why: 'either `generate` or `cert` and `key`' });
      } else if (generate !== undefined) {
        clients.push({
          kind: 'generated',
          name,
          origin,
          signedBy: scalarText(under(generate, 'signedBy')) === 'self' ? 'self' : 'gateway',
          commonName: scalarText(under(generate, 'commonName')) || name,
          dnsNames: texts(under(generate, 'dnsNames')),
          uris: texts(under(generate, 'uris')),
        });
      } else if (cert === undefined || key === undefined) {
        const missing = cert === undefined ? 'cert' : 'key';
        this.reader.report(ContractKeyMissing, keySpan, { path: `clients.${name}.${missing}`, key: missing });
      } else {
        const files = { cert: this.resolve(scalarText(cert)), key: this.resolve(scalarText(key)) };
        clients.push({ kind: 'files', name, origin, ...files });
      }
    }
    return clients;
  }

  private gateway(node: YamlNode | undefined): GatewaySpec {
    const text = (key: string): string | undefined => {
      const found = under(node, key);
      return found === undefined ? undefined : scalarText(found);
    };
    const allowed = under(node, 'allowUnemulated');
    const meshConfig = text('meshConfig');
    const workloadCerts = text('workloadCerts');
    const gatewayNamespace = text('gatewayNamespace');
    const namespace = text('namespace');
    const assume = under(node, 'assumeServices');
    return {
      devCerts: isTrue(under(node, 'devCerts')),
      gatewayLabels: textMap(under(node, 'gatewayLabels')),
      nodeMetadata: textMap(under(node, 'nodeMetadata')),
      allowUnemulated: allowed?.kind === 'list' ? texts(allowed) : isTrue(allowed) ? 'all' : [],
      ...(meshConfig === undefined ? {} : { meshConfig: this.resolve(meshConfig) }),
      ...(workloadCerts === undefined ? {} : { workloadCerts: this.resolve(workloadCerts) }),
      ...(gatewayNamespace === undefined ? {} : { gatewayNamespace }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(assume === undefined ? {} : { assumeServices: isTrue(assume) }),
    };
  }

  private upstreams(node: YamlNode | undefined): UpstreamSpec[] {
    const upstreams: UpstreamSpec[] = [];
    if (node?.kind !== 'map') return upstreams;
    for (const { key, keySpan, value } of node.entries) {
      if (parseUpstreamEntry(key, '127.0.0.1:1') === undefined)
        this.reader.report(ContractUpstreamKey, keySpan, { key });
      const respond = under(value, 'respond');
      const nodes = respond === undefined ? [] : respond.kind === 'list' ? respond.items : [respond];
      upstreams.push({ key, origin: this.reader.origin(keySpan), answers: nodes.map(decodeAnswer) });
    }
    return upstreams;
  }

  private tests(node: YamlNode | undefined): TestCase[] {
    return node?.kind === 'list' ? node.items.flatMap((item) => this.test(item)) : [];
  }

  private test(node: YamlNode): TestCase[] {
    const { reader } = this;
    const nameNode = under(node, 'name');
    const name = scalarText(nameNode);
    const origin = reader.origin(nameNode ?? node);
    const request = under(node, 'request');
    const requests = under(node, 'requests');
    const expect = under(node, 'expect');
    const skip = scalarText(under(node, 'skip'));
    const knownBug = scalarText(under(node, 'knownBug'));
    const common = {
      origin,
      tags: texts(under(node, 'tags')),
      ...(skip === '' ? {} : { skip }),
      ...(knownBug === '' ? {} : { knownBug }),
      samples: numberOf(under(node, 'samples')) || DEFAULT_SAMPLES,
    };
    const shared = scalarText(under(node, 'connection')) === 'shared';
    if ((request === undefined) === (requests === undefined)) {
      reader.report(ContractOptions, nameNode ?? node, {
        why: `test "${name}" needs \`request\` or \`requests\`, and not both`,
      });
      return [];
    }
    if (requests?.kind === 'list') {
      if (expect !== undefined) {
        reader.report(ContractOptions, expect, { why: 'with `requests` each request has its own `expect`' });
      }
      const steps = requests.items.flatMap((item) => {
        const expectation = decodeExpectation(under(item, 'expect'), reader);
        if (expectation.split !== undefined) {
          reader.report(ContractOptions, under(item, 'expect') ?? item, {
            why: '`split` is for tests with one `request`',
          });
        }
        return decodeSteps(item, expectation, reader, shared).map(({ step }) => step);
      });
      if (shared) this.checkShared(steps);
      return [{ name, ...common, shared, steps }];
    }
    const expectation = decodeExpectation(expect, reader);
    if (expectation.assertions.length === 0 && expectation.split === undefined) {
      reader.report(ContractTestEmpty, nameNode ?? node, { name });
    }
    return decodeSteps(request as YamlNode, expectation, reader, shared).map(({ step, label }) => ({
      name: label === '' ? name : `${name} [${label}]`,
      ...common,
      shared,
      steps: [step],
    }));
  }

  /** What belongs to a connection is said by the request that opens it. */
  private checkShared(steps: readonly Step[]): void {
    const [first, ...rest] = steps;
    if (first === undefined) return;
    const opened = planFetch(first.url, first.options).target;
    for (const step of rest) {
      const { target } = planFetch(step.url, step.options);
      const { sni, tlsVersion } = step.options;
      const differs =
        target.port !== opened.port || (target.tls === undefined) !== (opened.tls === undefined)
          ? 'scheme and port'
          : step.client !== undefined && step.client !== first.client
            ? '`client`'
            : sni !== undefined && sni !== opened.tls?.serverName
              ? '`sni`'
              : tlsVersion !== undefined && tlsVersion !== opened.tls?.version
                ? '`version`'
                : undefined;
      if (differs === undefined) continue;
      const message = `${differs} of a shared connection are those of its first request`;
      this.reader.diagnostics.push({ code: ContractOptions.code, severity: 'error', message, origin: step.origin });
    }
  }

  private checkClients(clients: readonly ClientSpec[], tests: readonly TestCase[]): void {
    const used = new Map<string, TestCase['steps'][number]>();
    for (const test of tests) {
      for (const step of test.steps)
        if (step.client !== undefined && !used.has(step.client)) used.set(step.client, step);
    }
    const known = new Set(clients.map(({ name }) => name));
    for (const [name, step] of used) {
      if (known.has(name)) continue;
      const help = known.size === 0 ? 'declare it under `clients`' : `declared are: ${[...known].join(', ')}`;
      this.reader.diagnostics.push({
        code: ContractClientUnknown.code,
        severity: 'error',
        message: ContractClientUnknown.template.replace('{name}', name),
        origin: step.origin,
        help,
      });
    }
    for (const { name, origin } of clients) {
      if (used.has(name)) continue;
      const message = ContractClientUnused.template.replace('{name}', name);
      this.reader.diagnostics.push({ code: ContractClientUnused.code, severity: 'error', message, origin });
    }
  }

  private resolve(written: string): string {
    return path.isAbsolute(written) ? written : path.join(this.folder, written);
  }
}

/** Requests of a split test in run mode. */
const DEFAULT_SAMPLES = 1000;

function decodeAnswer(node: YamlNode): StubAnswer {
  const delay = under(node, 'delay');
  const status = under(node, 'status');
  const body = under(node, 'body');
  const grpcStatus = under(node, 'grpcStatus');
  const headers = under(node, 'headers');
  const trailers = under(node, 'trailers');
  return {
    ...(status === undefined ? {} : { status: numberOf(status) }),
    ...(headers?.kind === 'map'
      ? { headers: Object.fromEntries(headers.entries.map(({ key, value }) => [key, listOf(value)])) }
      : {}),
    ...(body === undefined ? {} : { body: scalarText(body) }),
    ...(delay === undefined ? {} : { delay: milliseconds(delay) }),
    ...(isTrue(under(node, 'reset')) ? { reset: true } : {}),
    ...(isTrue(under(node, 'close')) ? { close: true } : {}),
    ...(trailers === undefined ? {} : { trailers: textMap(trailers) }),
    ...(grpcStatus === undefined ? {} : { grpcStatus: numberOf(grpcStatus) }),
  };
}

function milliseconds(node: YamlNode): number {
  if (node.kind === 'scalar' && typeof node.value === 'number') return node.value;
  const match = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(scalarText(node));
  return match === null ? 0 : Number(match[1]) * (match[2] === 's' ? 1000 : 1);
}

function listOf(node: YamlNode): readonly string[] {
  return node.kind === 'list' ? node.items.map(scalarText) : [scalarText(node)];
}

/** A scalar counts as a list of one. */
function texts(node: YamlNode | undefined): readonly string[] {
  return node === undefined ? [] : listOf(node);
}

function textMap(node: YamlNode | undefined): Readonly<Record<string, string>> {
  if (node?.kind !== 'map') return {};
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, scalarText(value)]));
}
