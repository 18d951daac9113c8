// Where postern differs from Istio and Envoy and says so: the lists behind `postern deviations`. The first is written
// here; its entries name the recorded calls that show them, and the golden replay fails when one of those agrees after
// all. The second, of what is read and not carried out, is taken from the decoder's own rows.

import { METADATA_KEYS } from './config/fields/metadata-keys.js';
import { listFields } from './config/fields.js';
import { KINDS_NOT_EMULATED } from './config/known-kinds.js';
import { FieldNotEmulated, KindNotEmulated } from './diagnostics/catalogue.js';

/** One thing that Node, OpenSSL or a library does not do as Envoy does it. */
export interface Deviation {
  /** Short, unique. */
  readonly id: string;
  /** What the real gateway does. */
  readonly envoy: string;
  /** What postern does instead: the nearest that can be done. */
  readonly postern: string;
  /** Why no more can be done, with the function of Node or OpenSSL that stands in the way. */
  readonly why: string;
  /** Recorded calls, as `AREA/NAME: CALL`; empty where no recording shows it. */
  readonly calls: readonly string[];
}

/** In the order in which `postern deviations` prints them. */
export const deviations: readonly Deviation[] = [
  {
    id: 'tls12-session-id',
    envoy: 'resumes TLS 1.2 sessions by session id and by ticket',
    postern: 'resumes by ticket only; a client that offers an id alone gets a full handshake',
    why: 'the server-side cache of tls.Server is an asynchronous event outside the chain; tickets need none',
    calls: [],
  },
  {
    id: 'reset-behind-data',
    envoy: 'passes on a reset of one side of a TCP connection as a reset (flag UR)',
    postern: 'does so too, but when the reset arrives together with the last data the other side sees FIN and no flag',
    why: 'libuv reports such a reset as the end of the stream',
    calls: [],
  },
  {
    id: 'upstream-certificate-alert',
    envoy: 'sends a TLS alert to an upstream whose certificate it refuses',
    postern: 'closes the connection; the client gets the same 503 with the same flags and failure text',
    why: 'tls.connect judges after the handshake and has no function that sends an alert',
    calls: [],
  },
  {
    id: 'openssl-algorithms',
    envoy: 'BoringSSL: X25519MLKEM768, X25519Kyber768Draft00 and DES-CBC3-SHA are there when configured',
    postern: 'leaves out what the OpenSSL of this Node lacks and warns (PST0215)',
    why: 'Node 20 carries OpenSSL 3.0',
    calls: [],
  },
  {
    id: 'several-faults-of-a-chain',
    envoy:
      'names the first fault of a client certificate that has several (no CRL for its issuer, and expired: unknown_ca)',
    postern: 'names the one that OpenSSL found last where the order cannot be told; the client is refused all the same',
    why: 'OpenSSL goes on after a fault and keeps the last code',
    calls: [],
  },
  {
    id: 'crl-extensions',
    envoy:
      'refuses every client (certificate_unknown) when a CRL has a critical extension that its library does not know',
    postern: 'does so for delta CRLs; with other critical extensions the client is refused with unknown_ca',
    why: 'OpenSSL passes over such a list and misses one for the issuer',
    calls: [],
  },
  {
    id: 'tls13-groups',
    envoy: 'asks for its preferred group by HelloRetryRequest; X25519MLKEM768 leads',
    postern:
      "takes the client's first usable key share; with an OpenSSL before 3.5 (Node 20) a client that offers ML-KEM only gets handshake_failure",
    why: 'OpenSSL chooses among the key shares that are there, and has ML-KEM from 3.5 on',
    calls: [],
  },
  {
    id: 'tls12-renegotiation',
    envoy: 'refuses a renegotiation with a fatal alert no_renegotiation',
    postern: 'refuses it with the same alert as a warning, and closes',
    why: 'OpenSSL sends that alert as a warning',
    calls: [],
  },
  {
    id: 'rare-hello-alerts',
    envoy:
      'answers rare faults of a ClientHello with an alert of its own choice (a key share outside supported_groups: HelloRetryRequest; a second hello in TLS 1.2: 10; an odd supported_versions list: 109; secp256k1 only: 50) and ignores max_fragment_length',
    postern: 'gives the alert of OpenSSL (47, 70, 70, 47) and echoes max_fragment_length',
    why: 'the handshake is OpenSSL’s once the chain is chosen',
    calls: [],
  },
];

/** Something of the API that postern reads, warns about and does not carry out. */
export interface NotEmulated {
  /** 'DestinationRule TrafficPolicy.tunnel', or 'AuthorizationPolicy (security.istio.io)' for a whole kind. */
  readonly id: string;
  /** The code of the warning that whoever writes it gets. */
  readonly code: string;
  /** What the real gateway does with it; '' for a kind. */
  readonly envoy: string;
  /** Every place of the field, 'spec.trafficPolicy.tunnel'; empty for a kind. */
  readonly paths: readonly string[];
}

/** Kind by kind in the order of the tables of fields, then labels, then the kinds of which nothing is carried out. */
export function listNotEmulated(): readonly NotEmulated[] {
  const byRow = new Map<object, { readonly entry: Omit<NotEmulated, 'paths'>; readonly paths: string[] }>();
  for (const { kind, path, status, row, note, message } of listFields()) {
    // What is in such a message is said with the message.
    if (status !== 'not emulated' || row.status !== 'not emulated') continue;
    const name = path.slice(path.lastIndexOf('.') + 1);
    const id =
      message.name === kind || message.name.startsWith(`${kind}.`)
        ? `${message.name}.${name}`
        : `${kind} ${message.name}.${name}`;
    const found = byRow.get(row) ?? { entry: { id, code: FieldNotEmulated.code, envoy: note }, paths: [] };
    found.paths.push(kind === found.entry.id.split(/[ .]/, 1)[0] ? path : `${kind} ${path}`);
    byRow.set(row, found);
  }
  const fields = [...byRow.values()].map(({ entry, paths }) => ({ ...entry, paths }));
  const kinds = [...KINDS_NOT_EMULATED].flatMap(([group, names]) =>
    [...names].map((name) => ({ id: `${name} (${group})`, code: KindNotEmulated.code, envoy: '', paths: [] })),
  );
  const keys = METADATA_KEYS.filter(({ status }) => status === 'not emulated').map(
    ({ kinds: of, where, key, note }) => ({
      id: `${of.join(', ')} metadata.${where}[${key}]`,
      code: FieldNotEmulated.code,
      envoy: note,
      paths: [`metadata.${where}[${key}]`],
    }),
  );
  return [...fields, ...keys, ...kinds];
}
