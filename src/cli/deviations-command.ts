// `postern deviations`: where Node cannot behave like Envoy, from the one list that the golden replay checks, and what
// of Istio's API is not carried out, from the rows of the decoders.
import { Command, Option } from 'commander';
import { deviations, listNotEmulated } from '../deviations.js';

export function deviationsCommand(): Command {
  return new Command('deviations')
    .description('where postern differs from Istio and Envoy, and why')
    .addOption(new Option('-o, --output <FORMAT>', 'format').choices(['text', 'json']).default('text'))
    .action((flags: { readonly output: 'text' | 'json' }) => {
      if (flags.output === 'json') {
        const notEmulated = listNotEmulated().map(({ id, code, envoy, paths }) => ({
          id,
          envoy,
          postern: `warns (${code}) and goes on as if it were not written`,
          why: 'not emulated',
          calls: [],
          paths,
        }));
        process.stdout.write(`${JSON.stringify([...deviations, ...notEmulated], null, 1)}\n`);
        return;
      }
      for (const { id, envoy, postern, why, calls } of deviations) {
        const lines = [
          id,
          `  Envoy:   ${envoy}`,
          `  postern: ${postern}`,
          `  why:     ${why}`,
          ...(calls.length === 0 ? [] : [`  calls:   ${calls.join('\n           ')}`]),
        ];
        process.stdout.write(`${lines.join('\n')}\n\n`);
      }
      process.stdout.write('Not emulated: whoever writes one of these is warned, and all goes on as without it.\n\n');
      for (const { id, code, envoy, paths } of listNotEmulated()) {
        const lines = [
          `${id} (${code})`,
          ...(envoy === '' ? [] : [`  gateway: ${envoy}`]),
          ...(paths.length === 0 ? [] : [`  at:      ${paths.join('\n           ')}`]),
        ];
        process.stdout.write(`${lines.join('\n')}\n`);
      }
    });
}
