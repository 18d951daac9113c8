// The prefixes of many routes in one radix tree: a walk along the path meets every prefix of it, however many lengths
// there are (performance.md §7).

/** A node stands for the text from the root to its own end. */
interface Node {
  /** What it adds to its parent. */
  text: string;
  /** Ascending; empty where no prefix ends here. */
  positions: number[];
  /** Codes of the first characters of the children; few, so a scan is faster than a Map (3 x). */
  codes: number[];
  /** In the order of `codes`. */
  children: Node[];
}

/** Prefixes with the positions of their routes. Add in ascending order of position. */
export class PrefixTree {
  private readonly root: Node = { text: '', positions: [], codes: [], children: [] };

  add(prefix: string, position: number): void {
    let node = this.root;
    let at = 0;
    while (at < prefix.length) {
      const code = prefix.charCodeAt(at);
      const slot = node.codes.indexOf(code);
      const child = node.children[slot];
      if (child === undefined) {
        node.codes.push(code);
        node.children.push({ text: prefix.slice(at), positions: [position], codes: [], children: [] });
        return;
      }
      const common = commonLength(child.text, prefix, at);
      if (common < child.text.length) {
        const rest: Node = { ...child, text: child.text.slice(common) };
        child.text = child.text.slice(0, common);
        child.positions = [];
        child.codes = [rest.text.charCodeAt(0)];
        child.children = [rest];
      }
      at += common;
      node = child;
    }
    node.positions.push(position);
  }

  /** The positions of every prefix of `path`, shortest first. */
  walk(path: string): PrefixWalk {
    return new PrefixWalk(this.root, path);
  }
}

/** One walk along a path. */
export class PrefixWalk {
  private node: Node | undefined;
  private readonly path: string;
  private at = 0;

  constructor(root: Node, path: string) {
    this.node = root;
    this.path = path;
  }

  /** `undefined` = no further prefix. */
  next(): readonly number[] | undefined {
    while (this.node !== undefined) {
      const { node, path, at } = this;
      const child = at < path.length ? childOf(node, path.charCodeAt(at)) : undefined;
      if (child === undefined || commonLength(child.text, path, at) < child.text.length) this.node = undefined;
      else {
        this.node = child;
        this.at += child.text.length;
      }
      if (node.positions.length > 0) return node.positions;
    }
    return undefined;
  }
}

function childOf(node: Node, code: number): Node | undefined {
  const { codes } = node;
  for (let i = 0; i < codes.length; i++) if (codes[i] === code) return node.children[i];
  return undefined;
}

function commonLength(text: string, other: string, from: number): number {
  let length = 0;
  while (length < text.length && text.charCodeAt(length) === other.charCodeAt(from + length)) length++;
  return length;
}
