// TLS alerts that Node cannot be asked to send: the one of a refused client certificate, and those to bytes that were
// never a handshake (dependencies.md §2 trap 3, spec dataplane.md §1.4, §2.4).
import { createCipheriv, createHmac } from 'node:crypto';

const FATAL = 2;
const ALERT_CONTENT = 21;
const APPLICATION_DATA = 23;
const TAG_LENGTH = 16;

/** Alert record in clear; version 3.1 before a version is agreed on, 3.3 afterwards. */
export function plaintextAlert(description: number, minorVersion: 1 | 3 | 2): Buffer {
  return Buffer.from([ALERT_CONTENT, 3, minorVersion, 0, 2, FATAL, description]);
}

/**
 * The first record that a TLS 1.3 server sends under its application traffic secret, as an alert. Valid only as long as
 * nothing else has been written under that secret (sequence number 0). `undefined` for a cipher that we do not know.
 */
export function encryptedAlert(description: number, cipher: string, trafficSecret: Buffer): Buffer | undefined {
  const suite = SUITES[cipher];
  if (suite === undefined) return undefined;
  const key = expandLabel(suite.hash, trafficSecret, 'key', suite.keyLength);
  const nonce = expandLabel(suite.hash, trafficSecret, 'iv', 12);
  const plaintext = Buffer.from([FATAL, description, ALERT_CONTENT]);
  const header = Buffer.from([APPLICATION_DATA, 3, 3, 0, plaintext.length + TAG_LENGTH]);
  const options = { authTagLength: TAG_LENGTH };
  const seal =
    suite.aead === 'chacha20-poly1305'
      ? createCipheriv(suite.aead, key, nonce, options)
      : createCipheriv(suite.aead, key, nonce, options);
  seal.setAAD(header, { plaintextLength: plaintext.length });
  return Buffer.concat([header, seal.update(plaintext), seal.final(), seal.getAuthTag()]);
}

/** The secret in a line of `'keylog'`, when it is the server's first application traffic secret. */
export function serverTrafficSecret(line: Buffer): Buffer | undefined {
  const words = line.toString('latin1').trim().split(' ');
  return words[0] === 'SERVER_TRAFFIC_SECRET_0' && words[2] !== undefined ? Buffer.from(words[2], 'hex') : undefined;
}

interface Suite {
  readonly hash: 'sha256' | 'sha384';
  readonly aead: 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
  readonly keyLength: 16 | 32;
}

const SUITES: Readonly<Record<string, Suite>> = {
  TLS_AES_128_GCM_SHA256: { hash: 'sha256', aead: 'aes-128-gcm', keyLength: 16 },
  TLS_AES_256_GCM_SHA384: { hash: 'sha384', aead: 'aes-256-gcm', keyLength: 32 },
  TLS_CHACHA20_POLY1305_SHA256: { hash: 'sha256', aead: 'chacha20-poly1305', keyLength: 32 },
};

// HKDF-Expand-Label of RFC 8446 §7.1 with an empty context; one block of the hash is always enough here.
function expandLabel(hash: 'sha256' | 'sha384', secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}
