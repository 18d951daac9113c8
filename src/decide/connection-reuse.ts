// The hosts that HTTP/2 clients bring to a connection that was opened for another: a browser sends requests for every
// host that the certificate covers, if its name leads to the same address. The chain was chosen by the first host's SNI
// and stays, and only its route table is asked (spec gateway.md §14.1).
import type { X509Certificate } from 'node:crypto';
import { isBlackhole } from '../xds/index.js';
import { coversHost, sampleHost } from './certificate-facts.js';

/** Of the chain that the connection came to. */
export interface ReusedConnection {
  /** The one that the server shows. */
  readonly certificate: X509Certificate;
  /** The virtual host that the chain's route table has for an authority; `undefined` = none. */
  findVirtualHost(authority: string): { readonly name: string } | undefined;
}

/** A host of another chain that the certificate covers. */
export interface ReusedHost<T> {
  /** As written in the other chain, `*.example.com` too. */
  readonly host: string;
  readonly other: T;
  /** False: its requests get 404 NR here. */
  readonly isServed: boolean;
}

/** Those of `others`, server names with whatever they belong to, that the certificate covers. '*' is no name to cover. */
export function reusedHosts<T>(
  { certificate, findVirtualHost }: ReusedConnection,
  others: Iterable<readonly [host: string, other: T]>,
): readonly ReusedHost<T>[] {
  const found: ReusedHost<T>[] = [];
  for (const [host, other] of others) {
    if (host === '*' || !coversHost(certificate, host)) continue;
    const virtualHost = findVirtualHost(sampleHost(host));
    found.push({ host, other, isServed: virtualHost !== undefined && !isBlackhole(virtualHost) });
  }
  return found;
}
