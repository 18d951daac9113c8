// The gateway as the target of a replay, through the composition root that `postern run` uses.
import { stringify } from 'yaml';
import type { GatewayProxy, WorkloadCertificates } from '../../src/registry/push-context.js';
import type { StartTarget } from './replay.js';
import { type GoldenCase, readCertificate } from './support.js';

/** Starts a gateway with the configuration of the case, in the settled state unless the case is about the start. */
export const startGatewayTarget: StartTarget = async (golden, environment, observe) => {
  const { runGateway } = await import('../../src/gateway/run.js');
  const gateway = await runGateway({
    sources: [{ file: 'istio.yaml', text: golden.istioYaml, named: true }],
    ...(golden.mesh === undefined
      ? {}
      : { meshConfig: { file: 'mesh.yaml', text: stringify(golden.mesh), named: true } }),
    proxy: gatewayProxyOf(golden),
    environment,
    observer: { finished: observe },
    stubs: false,
    assumeServices: false,
    workloadCertificates: meshCertificates(),
    ...(golden.recorded.ready !== 'live' && golden.settle === undefined ? { initialFetchTimeout: 15_000 } : {}),
  });
  return { close: () => gateway.close() };
};

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
