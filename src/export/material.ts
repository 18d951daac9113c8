// TLS contexts and the secrets that they name. Envoy's static configuration refers to a static secret by name alone; one
// that is not there, or that Envoy would refuse, is asked of a server that never answers: the chain is then NOT READY as
// on a gateway whose Secret is missing, and nothing else on the port suffers. Spec gateway.md §7.7, §8.6.
import { RevocationListMissing, SecretNotExported, SystemRootsExported } from '../diagnostics/catalogue.js';
import type { Reporter } from '../diagnostics/diagnostic.js';
import {
  CERTIFICATE_HASH,
  type CertificateValidationContext,
  type CommonTlsContext,
  CRL_FILE_PREFIX,
  type SdsSecretConfig,
  type Secret,
  SPKI_HASH,
  SYSTEM_ROOTS,
} from '../xds/index.js';
import type { Message } from './proto.js';

/** A file that the bootstrap refers to. Holds key material: readable for its owner alone. */
export interface ExportedFile {
  /** As the bootstrap says it. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** Name of the cluster that stands for the SDS server that never answers. */
export const ABSENT_SECRETS = 'postern_absent_secrets';

/** Where the roots of the operating system are in Envoy's container image and in Debian. */
const SYSTEM_ROOTS_FILE = '/etc/ssl/certs/ca-certificates.crt';

/** Collects the secrets of one bootstrap while its contexts are rendered. */
export class Material {
  readonly files: ExportedFile[] = [];
  /** True once a context asks for a secret that cannot be served. */
  asksForAbsent = false;
  private readonly secrets: Readonly<Record<string, Secret>>;
  /** `undefined`: everything inline. */
  private readonly folder: string | undefined;
  private readonly report: Reporter;
  private readonly rendered = new Map<string, Message>();
  private readonly reported = new Set<string>();

  constructor(secrets: Readonly<Record<string, Secret>>, folder: string | undefined, report: Reporter) {
    this.secrets = secrets;
    this.folder = folder;
    this.report = report;
  }

  /** `static_resources.secrets`: those that were asked for so far. */
  get staticSecrets(): readonly Message[] {
    return [...this.rendered.values()];
  }

  /** A context with its secrets by static name. */
  context(context: CommonTlsContext): Message {
    const { tls_certificate_sds_secret_configs: certificates, combined_validation_context: combined } = context;
    return {
      ...context,
      ...(certificates === undefined
        ? {}
        : { tls_certificate_sds_secret_configs: certificates.map((config) => this.reference(config)) }),
      ...(context.validation_context === undefined ? {} : { validation_context: context.validation_context }),
      ...(combined === undefined ? {} : { combined_validation_context: this.combined(combined) }),
    };
  }

  private combined(combined: NonNullable<CommonTlsContext['combined_validation_context']>): Message {
    const { crl, ...rest } = combined.default_validation_context;
    const pins = firstBadPin(rest);
    const config = combined.validation_context_sds_secret_config;
    if (pins !== undefined) {
      this.reportAbsent(config.name, `Envoy takes no pin ${pins}`);
      return { default_validation_context: {}, validation_context_sds_secret_config: this.absent(config.name) };
    }
    if (crl === undefined)
      return { default_validation_context: rest, validation_context_sds_secret_config: this.reference(config) };
    const list = this.secrets[`${CRL_FILE_PREFIX}${crl.filename}`];
    if (list?.kind !== 'validation_context') {
      this.report(RevocationListMissing, undefined, { file: crl.filename });
      return { default_validation_context: rest, validation_context_sds_secret_config: this.absent(config.name) };
    }
    return {
      default_validation_context: { ...rest, crl: this.source(crl.filename, 'crl', list.crl ?? '') },
      validation_context_sds_secret_config: this.reference(config),
    };
  }

  private reference({ name }: SdsSecretConfig): Message {
    const secret = this.secrets[name];
    if (secret === undefined || secret.kind === 'refused') {
      this.reportAbsent(name, secret === undefined ? 'there is none' : `Envoy refuses it: ${secret.reason}`);
      return this.absent(name);
    }
    if (!this.rendered.has(name)) this.rendered.set(name, this.secret(name, secret));
    return { name };
  }

  private reportAbsent(name: string, reason: string): void {
    if (this.reported.has(name)) return;
    this.reported.add(name);
    this.report(SecretNotExported, undefined, { secret: name, reason });
  }

  private absent(name: string): Message {
    this.asksForAbsent = true;
    return {
      name,
      sds_config: {
        resource_api_version: 'V3',
        initial_fetch_timeout: '0.001s',
        api_config_source: {
          api_type: 'GRPC',
          transport_api_version: 'V3',
          grpc_services: [{ envoy_grpc: { cluster_name: ABSENT_SECRETS } }],
        },
      },
    };
  }

  private secret(name: string, secret: Exclude<Secret, { readonly kind: 'refused' }>): Message {
    if (secret.kind === 'tls_certificate') {
      const { certificateChain, privateKey, ocspStaple } = secret;
      return {
        name,
        tls_certificate: {
          certificate_chain: this.source(name, 'crt', certificateChain),
          private_key: this.source(name, 'key', privateKey),
          ...(ocspStaple === undefined ? {} : { ocsp_staple: this.bytes(name, 'ocsp', ocspStaple) }),
        },
      };
    }
    if (name === SYSTEM_ROOTS && secret.trustedCa === '') {
      this.report(SystemRootsExported, undefined, { file: SYSTEM_ROOTS_FILE });
      return { name, validation_context: { trusted_ca: { filename: SYSTEM_ROOTS_FILE } } };
    }
    return {
      name,
      validation_context: {
        trusted_ca: this.source(name, 'ca.crt', secret.trustedCa),
        ...(secret.crl === undefined ? {} : { crl: this.source(name, 'crl', secret.crl) }),
      },
    };
  }

  /** PEM text as a DataSource. */
  private source(name: string, ending: string, written: string): Message {
    // A list of nobody is a list all the same, and checking is on; Envoy takes an empty text for none.
    const text = written === '' ? '\n' : written;
    if (this.folder === undefined) return { inline_string: text };
    return { filename: this.file(name, ending, Buffer.from(text)) };
  }

  /** Bytes, written as latin1, as a DataSource. */
  private bytes(name: string, ending: string, latin1: string): Message {
    const content = Buffer.from(latin1, 'latin1');
    if (this.folder === undefined) return { inline_bytes: content.toString('base64') };
    return { filename: this.file(name, ending, content) };
  }

  private file(name: string, ending: string, content: Uint8Array): string {
    const stem = name
      .replace(/^[a-z-]+:(\/\/)?/, '')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
      .replace(/^[_.]+/, '');
    for (let number = 1; ; number++) {
      const path = `${this.folder ?? '.'}/${stem}${number === 1 ? '' : `-${number}`}.${ending}`;
      if (this.files.some((file) => file.path === path)) continue;
      this.files.push({ path, content });
      return path;
    }
  }
}

// Envoy refuses the whole context for a pin that is none, and a static context that it refuses ends it at start.
function firstBadPin(context: Omit<CertificateValidationContext, 'crl'>): string | undefined {
  return (
    context.verify_certificate_hash?.find((pin) => !CERTIFICATE_HASH.test(pin)) ??
    context.verify_certificate_spki?.find((pin) => !SPKI_HASH.test(pin))
  );
}
