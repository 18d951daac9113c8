// What flags, options and contracts say of the gateway's own workload, in the forms that all of them take.
import path from 'node:path';
import type { GatewayProxy, WorkloadCertificates } from '../registry/push-context.js';
import { readText, SourceError } from './sources.js';

/** `root.pem`, `cert.pem` and `key.pem` of a folder. Rejects with a SourceError for what is not there. */
export async function readWorkloadCertificates(folder: string): Promise<WorkloadCertificates> {
  const read = async (name: string): Promise<string> => {
    const file = path.join(folder, name);
    try {
      return await readText(file);
    } catch (error) {
      throw new SourceError(file, error);
    }
  };
  return { certificateChain: await read('cert.pem'), privateKey: await read('key.pem'), root: await read('root.pem') };
}

/** 'REGION/ZONE/SUBZONE', of which the ends may be missing. */
export function parseLocality(written: string): GatewayProxy['locality'] {
  const [region, zone, subZone] = written.split('/');
  return {
    ...(region ? { region } : {}),
    ...(zone ? { zone } : {}),
    ...(subZone ? { subZone } : {}),
  };
}
