// `postern deviations`: where Node cannot behave like Envoy, from the one list that the golden replay checks.
import { Command, Option } from 'commander';
import { deviations } from '../deviations.js';

export function deviationsCommand(): Command {
  return new Command('deviations')
    .description('where postern differs from Istio and Envoy, and why')
    .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json']).default('text'))
    .action((flags: { readonly output: 'text' | 'json' }) => {
      if (flags.output === 'json') {
        process.stdout.write(`${JSON.stringify(deviations, null, 1)}\n`);
        return;
      }
      for (const { id, envoy, postern, why, pending, calls } of deviations) {
        const lines = [
          `${id}${pending === undefined ? '' : ` (until: ${pending})`}`,
          `  Envoy:   ${envoy}`,
          `  postern: ${postern}`,
          `  why:     ${why}`,
          ...(calls.length === 0 ? [] : [`  calls:   ${calls.join('\n           ')}`]),
        ];
        process.stdout.write(`${lines.join('\n')}\n\n`);
      }
    });
}
