// PEM blocks as BoringSSL reads them: anything outside of a block is skipped, and so is a block of another kind.
// Spec gateway.md §8.4.

/** One block with its label. */
export interface PemBlock {
  /** `CERTIFICATE`, `EC PRIVATE KEY`, … */
  readonly label: string;
  /** The whole block with both of its lines, `\n` at the ends. */
  readonly text: string;
  /** True where the headers say that the body is encrypted (`Proc-Type: 4,ENCRYPTED`). */
  readonly encrypted: boolean;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n([\s\S]*?)-----END \1-----/g;

/** Blocks in order. An opened block without an end is none. */
export function pemBlocks(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = ''] of text.matchAll(BLOCK)) {
    const encrypted = /^Proc-Type:.*ENCRYPTED/m.test(body);
    const lines = body.split(/\r?\n/).map((line) => line.trim());
    blocks.push({
      label,
      encrypted,
      text: [`-----BEGIN ${label}-----`, ...lines.filter(isKept), `-----END ${label}-----`, ''].join('\n'),
    });
  }
  return blocks;
}

function isKept(line: string, index: number, all: readonly string[]): boolean {
  // The blank line that ends the headers of an old-style encrypted key is part of its format.
  return line !== '' || (index > 0 && (all[index - 1] ?? '').includes(':'));
}

/** Also the older labels that OpenSSL reads. */
export function isCertificateBlock(block: PemBlock): boolean {
  return block.label === 'CERTIFICATE' || block.label === 'X509 CERTIFICATE' || block.label === 'TRUSTED CERTIFICATE';
}

/** Of any algorithm. */
export function isPrivateKeyBlock(block: PemBlock): boolean {
  return block.label.endsWith('PRIVATE KEY');
}

/** A revocation list. */
export function isCrlBlock(block: PemBlock): boolean {
  return block.label === 'X509 CRL';
}
