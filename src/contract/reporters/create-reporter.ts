// Reporters by name.
import type { ContractReporter, Write } from '../report.js';
import { GithubReporter } from './github.js';
import { JsonReporter } from './json.js';
import { PrettyReporter } from './pretty.js';
import { TapReporter } from './tap.js';

export const REPORTERS = ['pretty', 'tap', 'junit', 'github', 'json'] as const;
export type ReporterName = (typeof REPORTERS)[number];

/** `terminal` counts for `pretty` only. The XML package is loaded when it is asked for. */
export async function createReporter(
  name: ReporterName,
  write: Write,
  terminal: { readonly color: boolean; readonly progress: boolean },
): Promise<ContractReporter> {
  switch (name) {
    case 'pretty':
      return new PrettyReporter(write, terminal);
    case 'tap':
      return new TapReporter(write);
    case 'junit': {
      const { JunitReporter } = await import('./junit.js');
      return new JunitReporter(write);
    }
    case 'github':
      return new GithubReporter(write);
    case 'json':
      return new JsonReporter(write);
    default:
      return name satisfies never;
  }
}
