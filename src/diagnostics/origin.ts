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

/** Origins in a form that costs next to nothing to hand to another thread: one text and one block of memory. */
export interface PackedOrigins {
  /** Files and resources, each once, by line. */
  readonly texts: string;
  /** Per origin: file, line, column, end line, end column, resource; 0 = none, texts counted from 1. */
  readonly cells: Int32Array;
}

/** Numbers per origin in `cells`. */
const WIDTH = 6;

/**
 * Origins by number, so that a snapshot can point into YAML and still survive `structuredClone`.
 *
 *     const id = table.add(gateway.at(['spec', 'servers', 0]));
 *     table.get(id); // { file: 'gateway.yaml', line: 14, column: 5, resource: 'Gateway/shop/public' }
 */
export class OriginTable {
  private readonly entries: (Origin | undefined)[];
  private readonly packed: PackedOrigins | undefined;
  private texts: readonly string[] | undefined = undefined;

  constructor(entries: readonly (Origin | undefined)[] | PackedOrigins = []) {
    this.packed = 'cells' in entries ? entries : undefined;
    this.entries = 'cells' in entries ? new Array<undefined>(entries.cells.length / WIDTH) : [...entries];
  }

  /** One more than the highest number. */
  get size(): number {
    return this.entries.length;
  }

  add(origin: Origin): number {
    return this.entries.push(origin) - 1;
  }

  get(id: number | undefined): Origin | undefined {
    if (id === undefined) return undefined;
    const known = this.entries[id];
    if (known !== undefined || this.packed === undefined) return known;
    const origin = this.unpack(this.packed, id);
    this.entries[id] = origin;
    return origin;
  }

  /** Plain data for a message to another thread; `cells` may be transferred. Only for a table that was not packed before. */
  pack(): PackedOrigins {
    const numbers = new Map<string, number>();
    const texts: string[] = [];
    const numberOf = (text: string | undefined): number => {
      if (text === undefined) return 0;
      let number = numbers.get(text);
      if (number === undefined) {
        // A name with a line break in it would shift all others; nobody misses the rest of it.
        texts.push(text.replaceAll('\n', ' '));
        number = texts.length;
        numbers.set(text, number);
      }
      return number;
    };
    const cells = new Int32Array(this.entries.length * WIDTH);
    for (const [id, origin] of this.entries.entries()) {
      if (origin === undefined) continue;
      const { file, line, column, endLine, endColumn, resource } = origin;
      cells.set([numberOf(file), line, column, endLine ?? 0, endColumn ?? 0, numberOf(resource)], id * WIDTH);
    }
    return { texts: texts.join('\n'), cells };
  }

  private unpack({ texts, cells }: PackedOrigins, id: number): Origin | undefined {
    const at = id * WIDTH;
    this.texts ??= texts.split('\n');
    const file = this.texts[(cells[at] ?? 0) - 1];
    if (file === undefined) return undefined;
    const [line = 0, column = 0, endLine = 0, endColumn = 0, resource = 0] = cells.subarray(at + 1, at + WIDTH);
    const named = this.texts[resource - 1];
    return {
      file,
      line,
      column,
      ...(endLine === 0 ? {} : { endLine }),
      ...(endColumn === 0 ? {} : { endColumn }),
      ...(named === undefined ? {} : { resource: named }),
    };
  }
}
