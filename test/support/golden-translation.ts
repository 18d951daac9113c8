// A recorded case, translated as the recorder's gateway saw it.
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { collect, type Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { buildPushContext } from '../../src/registry/build-push-context.js';
import type { PushContext } from '../../src/registry/push-context.js';
import { type Translation, translate } from '../../src/translate/translate.js';
import { type GoldenCase, readCertificate } from '../golden/support.js';

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
      namespace: 'istio-system',
      labels: { istio: 'ingressgateway', app: 'istio-ingressgateway', ...gatewayLabels },
      ipAddress: '127.0.0.2',
      locality: {
        ...(locality?.region === undefined ? {} : { region: locality.region }),
        ...(locality?.zone === undefined ? {} : { zone: locality.zone }),
        ...(locality?.sub_zone === undefined ? {} : { subZone: locality.sub_zone }),
      },
      metadata: Object.fromEntries(metadata),
      domain: 'cluster.local',
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

/** One recording names a certificate where its text belongs, as the recorder's template did. */
function withCertificates(yaml: string): string {
  return yaml.replace(/"@([\w.-]+\.(?:pem|key))"/g, (_, file: string) =>
    Buffer.from(readCertificate(file)).toString('base64'),
  );
}
