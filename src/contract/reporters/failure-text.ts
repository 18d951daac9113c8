// A failed test in words, the same for every reporter: expected, actual, the way the request took, what upstreams saw.
import type { TrailStep } from '../../decide/decision.js';
import type { UpstreamSaw } from '../../gateway/client/reply.js';
import type { Failure, StepResult, TestResult } from '../result.js';

/** 'status: expected 200, got 404'. */
export function failureLine({ path, expected, actual }: Failure): string {
  return `${path}: expected ${expected}, got ${actual}`;
}

/** The first of them and how many more; '' for a test that passes although it should not. */
export function failureTitle(result: TestResult): string {
  if (result.outcome === 'unexpectedPass') return `passes, so its known bug is gone: ${result.reason ?? ''}`;
  const failures = result.steps.flatMap((step) => step.failures);
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return failures[0] === undefined ? '' : failureLine(failures[0]) + more;
}

/** Everything there is to say, in lines. */
export function failureDetails(result: TestResult): readonly string[] {
  return result.steps.filter(({ failures }) => failures.length > 0).flatMap(stepDetails);
}

/** One request: what was asked, what does not hold, the trail, what upstreams saw. */
export function stepDetails(step: StepResult): readonly string[] {
  const lines = [step.request];
  for (const failure of step.failures) {
    lines.push(`  ${failureLine(failure)}  (${failure.origin.file}:${failure.origin.line})`);
  }
  const came = outcomeWords(step);
  if (came !== '') lines.push(`  came to: ${came}`);
  if (step.decision.trail.length > 0)
    lines.push('  trail:', ...step.decision.trail.map((one) => `    ${trailLine(one)}`));
  if (step.upstreamsSaw.length > 0) {
    lines.push(
      '  upstream saw:',
      ...step.upstreamsSaw.flatMap((saw) => upstreamLines(saw).map((line) => `    ${line}`)),
    );
  } else if (step.status !== undefined || step.failure !== undefined) lines.push('  upstream saw: nothing');
  return lines;
}

/** 'filter chain shop/public:https (gateway.yaml:14)'. */
export function trailLine({ stage, verdict, reason, at }: TrailStep): string {
  const why = reason === undefined ? '' : `: ${reason}`;
  return `${stage} ${verdict}${why}${at === undefined ? '' : ` (${at.file}:${at.line})`}`;
}

function outcomeWords(step: StepResult): string {
  return [
    step.status === undefined ? '' : `status ${step.status}`,
    step.error ?? '',
    step.flags === undefined ? '' : `flags ${step.flags}`,
    step.details ?? '',
    step.failure ?? '',
  ]
    .filter((word) => word !== '')
    .join(', ');
}

/** Longest body that is shown. */
const MAX_BODY = 200;

function upstreamLines(saw: UpstreamSaw): readonly string[] {
  const head = [
    saw.server ?? '',
    saw.method ?? 'bytes',
    saw.authority === undefined ? '' : `${saw.authority}${saw.path ?? ''}`,
  ];
  const lines = [
    `${head.filter((word) => word !== '').join(' ')}${saw.protocol === undefined ? '' : ` ${saw.protocol}`}`,
  ];
  for (const [name, value] of saw.rawHeaders) if (name.toLowerCase() !== 'host') lines.push(`  ${name}: ${value}`);
  if (saw.tls !== undefined) lines.push(`  TLS: ${JSON.stringify(saw.tls)}`);
  const { body = '' } = saw;
  if (body !== '') lines.push(`  ${JSON.stringify(body.length > MAX_BODY ? `${body.slice(0, MAX_BODY)}…` : body)}`);
  return lines;
}
