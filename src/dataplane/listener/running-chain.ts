// A filter chain with what was built from it: its TLS contexts (on first use) and whether it is draining.
import { chainReadiness } from '../../decide/chain-readiness.js';
import type { FilterChain, HttpConnectionManager, Snapshot, TcpProxy } from '../../xds/index.js';
import { HTTP_CONNECTION_MANAGER, parseDuration, TCP_PROXY } from '../../xds/index.js';
import { DownstreamTls } from '../transport-socket/downstream-tls.js';
import { resolveTlsMaterial, type TlsMaterial } from '../transport-socket/tls-material.js';

/** What the last network filter does with the bytes. */
export type TerminalFilter =
  | { readonly kind: 'http'; readonly manager: HttpConnectionManager }
  | { readonly kind: 'tcp'; readonly proxy: TcpProxy };

/** Contexts by material, so that two versions of a chain share them as long as nothing of the material changed. */
export class TlsContexts {
  private readonly contexts = new Map<string, DownstreamTls | 'notReady'>();

  get(material: TlsMaterial, requireClientCertificate: boolean): DownstreamTls | 'notReady' {
    const key = `${material.key}${requireClientCertificate ? '!' : ''}`;
    let context = this.contexts.get(key);
    if (context === undefined) {
      context = build(material, requireClientCertificate);
      this.contexts.set(key, context);
    }
    return context;
  }

  /** Drops what no running chain needs; `live` are the keys of their material. */
  retain(live: ReadonlySet<string>): void {
    for (const key of this.contexts.keys()) if (!live.has(key.replace('!', ''))) this.contexts.delete(key);
  }
}

function build(material: TlsMaterial, requireClientCertificate: boolean): DownstreamTls | 'notReady' {
  try {
    return new DownstreamTls(material, requireClientCertificate);
  } catch {
    // OpenSSL refuses what translation let pass: to the client that is a Secret that never came (spec gateway.md §8.6).
    return 'notReady';
  }
}

/** Made for every chain of every snapshot; TLS contexts are shared by material. */
export class RunningChain {
  readonly chain: FilterChain;
  /** `undefined`: no filter that ends the chain, which Envoy would not have accepted. */
  readonly terminal: TerminalFilter | undefined;
  /** Material of a chain that ends TLS; `undefined` with `terminatesTls` = NOT READY. */
  readonly material: TlsMaterial | undefined;
  readonly terminatesTls: boolean;
  /** Milliseconds from chain choice to the end of the handshake; 0 = no limit. */
  readonly connectTimeout: number;
  /** Configuration as text, for "has the chain changed". */
  readonly fingerprint: string;
  private readonly contexts: TlsContexts;

  /** `previous` is the same chain of the running snapshot: its material stays in use when the new Secret cannot be had (§8.6). */
  constructor(
    chain: FilterChain,
    listener: string,
    secrets: Snapshot['secrets'],
    contexts: TlsContexts,
    fingerprint: string,
    previous: RunningChain | undefined,
  ) {
    this.chain = chain;
    this.terminal = terminalOf(chain);
    this.contexts = contexts;
    this.fingerprint = fingerprint;
    this.connectTimeout =
      chain.transport_socket_connect_timeout === undefined
        ? 0
        : (parseDuration(chain.transport_socket_connect_timeout) ?? 0);
    const context = chain.transport_socket?.typed_config.common_tls_context;
    this.terminatesTls = context !== undefined;
    // The server names are part of Envoy's resumption scope: sessions never cross chains (spec dataplane.md §2.1).
    const scope = `${listener} ${JSON.stringify(chain.filter_chain_match ?? null)}`;
    const fresh =
      context === undefined || chainReadiness(chain, secrets) === 'notReady'
        ? undefined
        : resolveTlsMaterial(context, secrets, scope);
    this.material = fresh ?? previous?.material;
  }

  /** Contexts for a handshake; 'notReady' = close without a byte. */
  tls(): DownstreamTls | 'notReady' {
    if (this.material === undefined) return 'notReady';
    return this.contexts.get(
      this.material,
      this.chain.transport_socket?.typed_config.require_client_certificate === true,
    );
  }
}

/** A reload hands on the very chains that are the same. */
const fingerprints = new WeakMap<FilterChain, string>();

/** Text of a chain without what does not matter to a connection: origins point into a table that each load makes anew. */
export function chainFingerprint(chain: FilterChain): string {
  let fingerprint = fingerprints.get(chain);
  if (fingerprint === undefined) {
    fingerprint = JSON.stringify(chain, (key, value: unknown) =>
      key === 'originId' || key === 'label' ? undefined : value,
    );
    fingerprints.set(chain, fingerprint);
  }
  return fingerprint;
}

function terminalOf(chain: FilterChain): TerminalFilter | undefined {
  const last = chain.filters.at(-1);
  if (last?.name === HTTP_CONNECTION_MANAGER) return { kind: 'http', manager: last.typed_config };
  if (last?.name === TCP_PROXY) return { kind: 'tcp', proxy: last.typed_config };
  return undefined;
}
