// Where something was written. Line and column are 1-based; the end is exclusive.

/** A place in a file; lines and columns from 1, the end exclusive. */
export interface Origin {
  /** As given on the command line or found below a folder; '-' for standard input. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine?: number;
  readonly endColumn?: number;
  /** 'Gateway/shop/public' (kind/namespace/name). */
  readonly resource?: string;
}

/**
 * Origins by number, so that a snapshot can point into YAML and still survive `structuredClone`.
 *
 *     const id = table.add(gateway.at(['spec', 'servers', 0]));
 *     table.get(id); // { file: 'gateway.yaml', line: 14, column: 5, resource: 'Gateway/shop/public' }
 */
export class OriginTable {
  private readonly entries: Origin[];

  constructor(entries: readonly Origin[] = []) {
    this.entries = [...entries];
  }

  add(origin: Origin): number {
    return this.entries.push(origin) - 1;
  }

  get(id: number | undefined): Origin | undefined {
    return id === undefined ? undefined : this.entries[id];
  }

  /** Plain data for a message to another thread. */
  toJSON(): readonly Origin[] {
    return this.entries;
  }
}
