// Recorded cases, translated as the recorder's gateway saw them, and compared with what istiod sent to it.
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import type { PushContext } from '../../src/registry/push-context.js';
import { type PublishedSnapshot, publishSnapshot } from '../../src/translate/published.js';
import { type Translation, translate } from '../../src/translate/translate.js';
import { caseDirectories, type GoldenCase, goldenAreas, loadCase, readCertificate } from '../golden/support.js';
import { GATEWAY_PROXY } from './translation.js';

export interface TranslatedCase extends Translation {
  readonly context: PushContext;
  readonly diagnostics: readonly Diagnostic[];
}

export function translateCase(golden: GoldenCase): TranslatedCase {
  const { locality, nodeMetadata, gatewayLabels, mesh, istioYaml } = golden;
  const { store, diagnostics: loading } = loadConfig(
    [{ file: 'istio.yaml', text: withCertificates(istioYaml), named: true }],
    mesh === undefined ? {} : { meshConfig: { file: 'mesh.yaml', text: stringify(mesh), named: true } },
  );
  const diagnostics: Diagnostic[] = [...loading];
  const metadata = Object.entries(nodeMetadata ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const context = buildPushContext(
    store,
    {
      ...GATEWAY_PROXY,
      labels: { ...GATEWAY_PROXY.labels, ...gatewayLabels },
      locality: {
        ...(locality?.region === undefined ? {} : { region: locality.region }),
        ...(locality?.zone === undefined ? {} : { zone: locality.zone }),
        ...(locality?.sub_zone === undefined ? {} : { subZone: locality.sub_zone }),
      },
      metadata: Object.fromEntries(metadata),
    },
    {
      workloadCertificates: {
        certificateChain: readCertificate('mesh/cert.pem'),
        privateKey: readCertificate('mesh/key.pem'),
        root: readCertificate('mesh/root.pem'),
      },
    },
  );
  return { context, diagnostics, ...translate(context, collect(diagnostics)) };
}

/**
 * Compares what every recorded case becomes with what istiod sent, one subtest per area.
 *
 * @param what names the compared part in the summary
 * @param compare lists the differences; empty = the case agrees
 * @param known differences that are ours on purpose, by case id
 */
export function checkRecordedSnapshots<Xds>(
  what: string,
  compare: (published: PublishedSnapshot, want: Xds, golden: GoldenCase) => readonly string[],
  known: ReadonlyMap<string, readonly string[]> = new Map(),
): void {
  for (const area of goldenAreas()) {
    t.test(area, (t) => {
      let cases = 0;
      let agreed = 0;
      for (const directory of caseDirectories(area)) {
        // One recording holds no dump.
        if (!existsSync(path.join(directory, 'xds.json'))) continue;
        const golden = loadCase(directory);
        const found = compare(publishSnapshot(translateCase(golden).snapshot), golden.readXds() as Xds, golden);
        cases += 1;
        if (found.length === 0) agreed += 1;
        t.same(found, known.get(golden.id) ?? [], golden.id);
      }
      t.comment(`${area}: ${agreed} of ${cases} cases agree in ${what}`);
      t.end();
    });
  }
}

/** One recording names a certificate where its text belongs, as the recorder's template did. */
function withCertificates(yaml: string): string {
  return yaml.replace(/"@([\w.-]+\.(?:pem|key))"/g, (_, file: string) =>
    Buffer.from(readCertificate(file)).toString('base64'),
  );
}
