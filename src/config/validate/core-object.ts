// What the API server checks of any object's name, and of Kubernetes' own kinds beyond their structure. Spec
// validation.md §7.3, §8.1; Kubernetes: pkg/apis/core/validation.
import { BadValue, DuplicateListKey, RequiredValue } from '../../diagnostics/catalogue.js';
import type { MessageType } from '../../diagnostics/diagnostic.js';
import { entryOf, entrySpan, type Span, type YamlNode } from '../yaml/tree.js';
import { Written } from './written.js';

/** Reports a problem of a field. */
export type ReportCore = (type: MessageType, span: Span, parameters: Readonly<Record<string, string>>) => void;

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** Kubernetes' own words for the forms that names have. */
const FORMS = {
  subdomain: {
    pattern: new RegExp(`^${LABEL}(\\.${LABEL})*$`),
    longest: 253,
    text: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${LABEL}(\\.${LABEL})*')`,
  },
  label: {
    pattern: new RegExp(`^${LABEL}$`),
    longest: 63,
    text: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`,
  },
  service: {
    pattern: /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
    longest: 63,
    text: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
  },
} as const;

type Form = (typeof FORMS)[keyof typeof FORMS];

/** `name` is the object's as postern reads it, which may be a word that YAML takes for a boolean. */
export function checkObject(kind: string, name: string | undefined, root: YamlNode, report: ReportCore): void {
  const metadata = partOf(root, 'metadata');
  const form = kind === 'Service' ? FORMS.service : kind === 'Namespace' ? FORMS.label : FORMS.subdomain;
  if (name !== undefined) checkName(name, form, 'metadata.name', metadata.spanOf('name'), report);
  const namespace = metadata.text('namespace');
  if (namespace !== '' && metadata.isText('namespace')) {
    checkName(namespace, FORMS.label, 'metadata.namespace', metadata.spanOf('namespace'), report);
  }
  if (kind === 'Service') checkService(partOf(root, 'spec'), report);
  if (kind === 'Secret') checkTlsSecret(new Written(root, root), report);
}

function checkName(name: string, form: Form, path: string, span: Span, report: ReportCore): void {
  const quoted = JSON.stringify(name);
  if (name.length > form.longest) {
    report(BadValue, span, { path, problem: `${quoted}: must be no more than ${form.longest} bytes` });
  }
  if (!form.pattern.test(name)) report(BadValue, span, { path, problem: `${quoted}: ${form.text}` });
}

function checkService(spec: Written, report: ReportCore): void {
  const ports = spec.messages('ports');
  const portless = spec.text('clusterIP') === 'None' || spec.text('type') === 'ExternalName';
  if (ports.length === 0 && !portless) report(RequiredValue, spec.spanOf('ports'), { path: 'spec.ports' });
  if (spec.text('type') === 'ExternalName') {
    const name = spec.text('externalName').replace(/\.$/, '');
    const span = spec.spanOf('externalName');
    if (name === '') report(RequiredValue, span, { path: 'spec.externalName' });
    else checkName(name, FORMS.subdomain, 'spec.externalName', span, report);
  }
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `spec.ports[${index}]`;
    const name = port.text('name');
    if (name === '' && ports.length > 1) report(RequiredValue, port.span, { path: `${path}.name` });
    if (name !== '') {
      checkName(name, FORMS.label, `${path}.name`, port.spanOf('name'), report);
      if (names.has(name)) {
        report(DuplicateListKey, port.spanOf('name'), { path: `${path}.name`, value: JSON.stringify(name) });
      }
      names.add(name);
    }
    checkPortNumbers(port, path, report);
    const number = port.number('port');
    const protocol = port.text('protocol') || 'TCP';
    if (numbers.has(`${protocol}/${number}`)) {
      const value = `{"Name":"","Protocol":"${protocol}","AppProtocol":null,"Port":${number},"TargetPort":0,"NodePort":0}`;
      report(DuplicateListKey, port.spanOf('port'), { path, value });
    }
    numbers.add(`${protocol}/${number}`);
  }
}

const RANGE = 'must be between 1 and 65535, inclusive';

function checkPortNumbers(port: Written, path: string, report: ReportCore): void {
  const number = port.number('port');
  if (isOutside(number)) {
    report(BadValue, port.spanOf('port'), { path: `${path}.port`, problem: `${number}: ${RANGE}` });
  }
  if (!port.has('targetPort')) return;
  const span = port.spanOf('targetPort');
  const at = `${path}.targetPort`;
  const target = port.text('targetPort');
  if (!port.isText('targetPort')) {
    const value = port.number('targetPort');
    // 0 is what an absent one is: the port itself.
    if (value !== 0 && isOutside(value)) report(BadValue, span, { path: at, problem: `${value}: ${RANGE}` });
    return;
  }
  for (const problem of portNameProblems(target)) {
    report(BadValue, span, { path: at, problem: `${JSON.stringify(target)}: ${problem}` });
  }
}

function isOutside(port: number): boolean {
  return port < 1 || port > 65535;
}

/** Of the name of a container's port (IANA's service names). */
function portNameProblems(name: string): readonly string[] {
  const problems: string[] = [];
  if (name.length > 15) problems.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) problems.push('must contain at least one letter (a-z)');
  if (name.includes('--')) problems.push('must not contain consecutive hyphens');
  if (/^-|-$/.test(name)) problems.push('must not begin or end with a hyphen');
  return problems;
}

/** The keys must be there; what they hold is looked at by nobody before istiod. */
function checkTlsSecret(secret: Written, report: ReportCore): void {
  if (secret.text('type') !== 'kubernetes.io/tls') return;
  for (const key of ['tls.crt', 'tls.key']) {
    const written = ['data', 'stringData'].some((part) => secret.message(part)?.has(key) === true);
    if (!written) report(RequiredValue, secret.spanOf('data'), { path: `data[${key}]` });
  }
}

function partOf(root: YamlNode, key: string): Written {
  const entry = entryOf(root, key);
  return new Written(entry?.value, entry === undefined ? root : entrySpan(entry));
}
