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
      if (deviations.length === 0) process.stdout.write('none\n');
      for (const deviation of deviations) {
        process.stdout.write(
          `${deviation.id}\n  Envoy:   ${deviation.envoy}\n  postern: ${deviation.postern}\n  why:     ${deviation.why}\n  calls:   ${deviation.calls.join('\n           ')}\n\n`,
        );
      }
    });
}
