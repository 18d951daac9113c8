// The gateway as the target of a replay, through the composition root that `postern run` uses.
import { stringify } from 'yaml';
import type { Source } from '../../src/config/load.js';
import { type Compiled, type CompileOptions, compile } from '../../src/gateway/compile.js';
import { DevelopmentCertificates } from '../../src/gateway/development-certificates.js';
import type { GatewayProxy, WorkloadCertificates } from '../../src/registry/push-context.js';
import type { StartTarget } from './replay.js';
import { type GoldenCase, readCertificate } from './support.js';

/** Starts a gateway with the configuration of the case, in the settled state unless the case is about the start. */
export const startGatewayTarget: StartTarget = async (golden, environment, observe) => {
  const { runGateway } = await import('../../src/gateway/run.js');
  const gateway = await runGateway({
    sources: caseSources(golden),
    ...caseOptions(golden),
    environment,
    observer: { finished: observe },
    stubs: false,
    ...(golden.recorded.ready !== 'live' && golden.settle === undefined ? { initialFetchTimeout: 15_000 } : {}),
  });
  return { close: () => gateway.close() };
};

/** The configuration of a case as it is written. */
export function caseSources(golden: GoldenCase): readonly Source[] {
  return [{ file: 'istio.yaml', text: golden.istioYaml, named: true }];
}

/** What a case says beside: MeshConfig, workload, identity. No service is assumed. */
export function caseOptions(golden: GoldenCase): CompileOptions {
  return {
    ...(golden.mesh === undefined
      ? {}
      : { meshConfig: { file: 'mesh.yaml', text: stringify(golden.mesh), named: true } }),
    proxy: gatewayProxyOf(golden),
    assumeServices: false,
    workloadCertificates: meshCertificates(),
  };
}

/** A case without a gateway that runs: compiled as istiod would send it. Rejects with a ConfigError. */
export async function compileCase(golden: GoldenCase): Promise<Compiled> {
  return compile(caseSources(golden), caseOptions(golden), {
    stubs: undefined,
    certificates: new DevelopmentCertificates(undefined),
    devCerts: false,
  });
}

/** The gateway workload of a case. */
export function gatewayProxyOf(golden: GoldenCase): Partial<GatewayProxy> {
  return {
    // Where there is nothing but loopback, Envoy takes this for its own address (spec dataplane.md §3.6).
    ipAddress: '127.0.0.1',
    ...(golden.gatewayLabels === undefined ? {} : { labels: golden.gatewayLabels }),
    ...(golden.locality === undefined ? {} : { locality: toLocality(golden.locality) }),
    ...(golden.nodeMetadata === undefined ? {} : { metadata: toMetadata(golden.nodeMetadata) }),
  };
}

/** The gateway's own mesh identity in all cases. */
export function meshCertificates(): WorkloadCertificates {
  return {
    certificateChain: readCertificate('mesh/cert.pem'),
    privateKey: readCertificate('mesh/key.pem'),
    root: readCertificate('mesh/root.pem'),
  };
}

function toLocality(locality: NonNullable<GoldenCase['locality']>): {
  region?: string;
  zone?: string;
  subZone?: string;
} {
  const { region, zone, sub_zone: subZone } = locality;
  return {
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(subZone === undefined ? {} : { subZone }),
  };
}

// PROXY_CONFIG only repeats mesh.defaultConfig, which is what counts.
function toMetadata(metadata: Readonly<Record<string, unknown>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(metadata)) if (name !== 'PROXY_CONFIG') result[name] = String(value);
  return result;
}
