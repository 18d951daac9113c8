// `ip:port`, `[v6]:port` and unix socket paths of endpoints, taken apart; `renderSocketAddress` puts them together.

/** An endpoint's address, taken apart. */
export interface HostAddress {
  /** IP literal without brackets, a host name, or a path (`/run/app.sock`, `@abstract`). */
  readonly address: string;
  /** 0 for a path. */
  readonly port: number;
}

/** Never fails: a text without a port is a path or a name with port 0. */
export function parseHostAddress(text: string): HostAddress {
  if (text.startsWith('/') || text.startsWith('@')) return { address: text, port: 0 };
  const colon = text.lastIndexOf(':');
  if (colon < 1) return { address: text, port: 0 };
  const address = text.slice(0, colon);
  const port = Number(text.slice(colon + 1));
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  return { address: bare, port: Number.isInteger(port) ? port : 0 };
}
