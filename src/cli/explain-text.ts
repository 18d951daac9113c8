// A Decision for people: the trail in columns, the request as it is sent on, and the answer in one line.
import type { Call, Decision, ErrorClass, TrailStep } from '../decide/decision.js';

const MEANING: Readonly<Record<ErrorClass, string>> = {
  no_listener: 'the connection is refused, nothing listens there',
  no_filter_chain: 'the connection is closed, no filter chain fits',
  no_virtual_host: 'no virtual host for this authority',
  no_route: 'a virtual host, but no rule fits',
  tls_redirect: 'redirected to https',
  protocol_error: 'refused before routing',
  tls_error: 'the TLS handshake fails',
  mtls_error: 'the client certificate is missing or refused',
  no_cluster: 'the destination is not in the registry',
  no_endpoint: 'the destination has no healthy endpoint',
  upstream_connect: 'the upstream cannot be reached',
  upstream_tls: 'TLS to the upstream fails',
  upstream_reset: 'the upstream resets',
  timeout: 'the time is up',
};

/** Lines for stdout, a newline at the end. */
export function renderDecision(url: string, call: Call, decision: Decision): string {
  const stage = Math.max(...decision.trail.map((step) => step.stage.length), 'answer'.length);
  const verdict = Math.min(48, Math.max(...decision.trail.map((step) => step.verdict.length), 0));
  const lines = [`${call.protocol === 'tcp' ? '' : `${call.method ?? 'GET'} `}${url}`, ''];
  let previous = '';
  for (const step of decision.trail) {
    lines.push(trailLine(step, previous === step.stage ? '' : step.stage, stage, verdict));
    previous = step.stage;
  }
  lines.push('');
  const { upstreamRequest: sent } = decision;
  if (sent !== undefined) {
    lines.push(`${'request'.padEnd(stage)}  ${call.method ?? 'GET'} ${sent.path}, authority ${sent.authority}`);
    for (const [name, value] of Object.entries(sent.headersSet))
      lines.push(`${' '.repeat(stage)}  + ${name}: ${value}`);
    for (const name of sent.headersRemoved) lines.push(`${' '.repeat(stage)}  - ${name}`);
  }
  lines.push(`${'answer'.padEnd(stage)}  ${answer(decision)}`);
  return `${lines.join('\n')}\n`;
}

function trailLine(
  { verdict, reason, at }: TrailStep,
  shown: string,
  stageWidth: number,
  verdictWidth: number,
): string {
  const place = at === undefined ? '' : `  ${at.file}:${at.line}`;
  const text = reason === undefined ? verdict : `${verdict.padEnd(verdictWidth)}  ${reason}`;
  return `${shown.padEnd(stageWidth)}  ${text}${place}`;
}

function answer(decision: Decision): string {
  const { status, flags, details, location, error, cluster, endpoint, weightedClusters } = decision;
  const parts: string[] = [];
  if (status !== undefined) parts.push(String(status));
  if (flags !== undefined && flags !== '') parts.push(flags);
  if (details !== undefined) parts.push(details);
  if (location !== undefined) parts.push(`location ${location}`);
  if (error !== undefined) parts.push(`(${error}: ${MEANING[error]})`);
  if (parts.length > 0 && (status !== undefined || error !== undefined)) return parts.join(' ');
  const target = `whatever ${cluster ?? 'the destination'}${endpoint === undefined ? '' : ` at ${endpoint}`} answers`;
  const shares = (weightedClusters ?? []).map((entry) => `${entry.weight} ${entry.cluster}`).join(', ');
  return `${target}${shares === '' ? '' : ` (weights: ${shares})`}${flags === undefined ? '' : ` ${flags}`}`;
}
