// Upstreams and clients for tests that use the library directly.
import { issueCertificate } from '../certs/development-ca.js';
import type { KeyPair } from '../certs/key-pair.js';
import { ANYTHING, checkOptions, OptionError, TEXT } from '../gateway/option-error.js';
import {
  CLIENT_SUBJECT,
  type ClientCertificate,
  type ClientSubject,
  type GatewayHandle,
  type ObservableUpstream,
} from '../gateway.js';
import type { Received } from '../stub/received.js';
import { type StubAnswer, startRespondingStub } from '../stub/responding-stub.js';

/** How an upstream of a test answers. */
export interface RecordingUpstreamOptions {
  /** What it calls itself; default 'upstream'. */
  readonly name?: string;
  /** A list gives one answer per request, the last one from then on. Default: JSON of what was received. */
  readonly respond?: StubAnswer | readonly StubAnswer[];
}

/** An upstream on a port of loopback that keeps what it receives. `await using` closes it. */
export interface RecordingUpstream extends ObservableUpstream, AsyncDisposable {
  readonly name: string;
  /** In order of arrival. */
  readonly received: readonly Received[];
  /** Forgets what was received; the next request gets the first answer. */
  reset(): void;
  close(): Promise<void>;
}

/**
 * Starts an upstream that answers as it is told and records what it gets, plaintext or TLS, HTTP/1.1 or HTTP/2.
 *
 *     await using web = await startRecordingUpstream({ respond: { status: 200, body: 'ok' } });
 *     await using gateway = await startGateway({ config: ['k8s/'], upstreams: { 'web.demo.svc.cluster.local:80': web } });
 *     (await gateway.fetch('https://local.test/')).upstreamSaw?.path; // '/'
 */
export async function startRecordingUpstream(options: RecordingUpstreamOptions = {}): Promise<RecordingUpstream> {
  checkOptions('startRecordingUpstream', options, { name: TEXT, respond: ANYTHING });
  const { name = 'upstream', respond = [] } = options;
  const received: Received[] = [];
  const listeners: ((received: Received, peerPort: number) => void)[] = [];
  const stub = await startRespondingStub({
    name,
    answers: Array.isArray(respond) ? respond : [respond],
    onReceived: (one, peerPort) => {
      received.push(one);
      for (const listener of listeners) listener(one, peerPort);
    },
  });
  return {
    name,
    address: stub.address,
    received,
    observe: (listener) => void listeners.push(listener),
    reset: () => {
      received.length = 0;
      stub.rewind();
    },
    close: () => stub.close(),
    [Symbol.asyncDispose]: () => stub.close(),
  };
}

/** Who is to be known, and by whom. */
export interface GeneratedClient extends ClientSubject {
  /** Default 'self'; a CA, or the gateway whose servers shall accept it. */
  readonly signedBy?: 'self' | KeyPair | Pick<GatewayHandle, 'issueClientCertificate'>;
}

/**
 * Makes a client certificate.
 *
 *     const rogue = await generateClient();
 *     (await gateway.fetch('https://admin.example.com/', { client: rogue })).error; // 'mtls_error'
 */
export async function generateClient(options: GeneratedClient = {}): Promise<ClientCertificate> {
  checkOptions('generateClient', options, { ...CLIENT_SUBJECT, signedBy: ANYTHING });
  const { signedBy = 'self', ...subject } = options;
  if (typeof signedBy === 'object' && 'issueClientCertificate' in signedBy) {
    return signedBy.issueClientCertificate(subject);
  }
  if (signedBy !== 'self' && (typeof signedBy !== 'object' || !('privateKey' in signedBy))) {
    throw new OptionError('signedBy', "generateClient: signedBy: expected 'self', a CA or a gateway");
  }
  const { commonName = 'client', dnsNames = [], uris = [] } = subject;
  const authority = signedBy === 'self' ? undefined : signedBy;
  const pair = await issueCertificate(authority, { commonName, dnsNames, uris, usage: 'client' });
  return { cert: pair.certificate, key: pair.privateKey };
}
