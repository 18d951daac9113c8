// Contract files and what they are run against (PST10xx).
import type { MessageType } from './diagnostic.js';

export const NotAContract: MessageType = {
  code: 'PST1001',
  severity: 'error',
  template: 'this is no contract file but {found}',
  explanation: 'A contract file is one YAML document whose top-level key `contract` names the version of the format.',
  help: 'begin it with `contract: v1`, or let `postern init` write the first one',
};

export const ContractUnknownKey: MessageType = {
  code: 'PST1002',
  severity: 'error',
  template: '{path}: unknown key "{key}"',
  explanation:
    'A contract file has no such key here. Nothing is passed over: a misspelled expectation would never fail.',
};

export const ContractWrongValue: MessageType = {
  code: 'PST1003',
  severity: 'error',
  template: '{path}: expected {expected}, found {found}',
  explanation: 'The value is of another kind than this key of a contract file takes.',
};

export const ContractKeyMissing: MessageType = {
  code: 'PST1004',
  severity: 'error',
  template: '{path} is missing',
  explanation: 'A key without which this part of a contract file means nothing is not there.',
};

export const ContractDuplicateKey: MessageType = {
  code: 'PST1005',
  severity: 'error',
  template: 'key "{key}" is already set in line {firstLine}',
  explanation: 'The same key stands twice in one map of a contract file, so one of them would never be looked at.',
};

export const ContractWithoutTests: MessageType = {
  code: 'PST1006',
  severity: 'error',
  template: 'the contract has no tests',
  explanation: 'A contract without tests would pass whatever the configuration does.',
};

export const ContractTestEmpty: MessageType = {
  code: 'PST1007',
  severity: 'error',
  template: 'test "{name}" expects nothing',
  explanation: 'A test without an expectation can never fail.',
  help: 'write under `expect` what must come of the request',
};

export const ContractOptions: MessageType = {
  code: 'PST1008',
  severity: 'error',
  template: '{why}',
  explanation: 'Keys of a contract file that exclude or need each other.',
};

export const ContractRequest: MessageType = {
  code: 'PST1009',
  severity: 'error',
  template: 'the request cannot be made: {why}',
  explanation: 'What a contract asks for cannot be put on the wire as one HTTP request.',
};

export const ContractPattern: MessageType = {
  code: 'PST1010',
  severity: 'error',
  template: 'no RE2 expression: {reason}',
  explanation: 'Patterns in contracts are RE2, as in Istio, and must match the whole text.',
};

export const ContractClientUnknown: MessageType = {
  code: 'PST1011',
  severity: 'error',
  template: 'client "{name}" is not declared',
  explanation: 'A request names a client that the contract does not have under `clients`.',
};

export const ContractClientUnused: MessageType = {
  code: 'PST1012',
  severity: 'error',
  template: 'client "{name}" is used by no test',
  explanation: 'A client that no request names is a left-over, or the test that needed it was forgotten.',
};

export const ContractUpstreamKey: MessageType = {
  code: 'PST1013',
  severity: 'error',
  template: '"{key}" names no upstream: expected HOST[:PORT][/SUBSET]',
  explanation: 'Upstreams of a contract are named as in --upstream: reviews.shop.svc.cluster.local:9080/v2.',
};

export const ContractUpstreamUnused: MessageType = {
  code: 'PST1014',
  severity: 'error',
  template: 'upstream "{key}" is used by no test: {why}',
  explanation:
    'Either no cluster of the gateway fits the name (a misspelled host, port or subset), or no request of the contract is routed there.',
};

export const ContractFile: MessageType = {
  code: 'PST1015',
  severity: 'error',
  template: '{what}: {reason}',
  explanation: 'A file that a contract names cannot be read or used.',
};

export const ContractClientAuthority: MessageType = {
  code: 'PST1016',
  severity: 'error',
  template: 'client "{name}" cannot be signed by the gateway: the key of the CA that it trusts is not known',
  explanation: 'postern knows the key of a CA only when it made the CA itself.',
  help: 'set `gateway: { devCerts: true }` and leave the Secret out, or name files of a client certificate',
};

export const NotEmulatedInUse: MessageType = {
  code: 'PST1017',
  severity: 'error',
  template: '{what} is in use and not emulated: a contract that passes here may fail in the cluster',
  explanation:
    'Istio would act on this, postern does not, so a green contract would promise more than it can. `postern test` fails until it is accepted.',
  help: "take it out of the contract's configuration, or accept it: --allow-unemulated, or gateway.allowUnemulated in the contract",
};

export const AllowedButNotInUse: MessageType = {
  code: 'PST1018',
  severity: 'warning',
  template: 'gateway.allowUnemulated: "{name}" accepts nothing',
  explanation: 'An exception that fits nothing is left over, or misspelled.',
};
