// The PROXY protocol header that goes to an upstream before anything else (spec destinations.md §9.7).
import net from 'node:net';
import type { UpstreamConnectOptions } from './cluster-manager.js';

type Downstream = NonNullable<UpstreamConnectOptions['downstream']>;

const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** Without downstream addresses: `PROXY UNKNOWN`, or a v2 LOCAL header. */
export function renderProxyHeader(version: 'V1' | 'V2', downstream: Downstream | undefined): Buffer {
  return version === 'V1' ? renderV1(downstream) : renderV2(downstream);
}

function renderV1(downstream: Downstream | undefined): Buffer {
  if (downstream === undefined) return Buffer.from('PROXY UNKNOWN\r\n', 'latin1');
  const { source, destination } = downstream;
  const family = net.isIPv6(source.address) ? 'TCP6' : 'TCP4';
  return Buffer.from(
    `PROXY ${family} ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`,
    'latin1',
  );
}

function renderV2(downstream: Downstream | undefined): Buffer {
  if (downstream === undefined) return Buffer.concat([V2_SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  const { source, destination } = downstream;
  const isV6 = net.isIPv6(source.address);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const bytes = isV6 ? ipv6Bytes : ipv4Bytes;
  const addresses = Buffer.concat([bytes(source.address), bytes(destination.address), ports]);
  return Buffer.concat([V2_SIGNATURE, Buffer.from([0x21, isV6 ? 0x21 : 0x11, 0, addresses.length]), addresses]);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').flatMap(groupValues));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
  const out = Buffer.alloc(16);
  for (let i = 0; i < 8; i++) out.writeUInt16BE(all[i] ?? 0, i * 2);
  return out;
}

// A dotted quad at the end stands for two groups.
function groupValues(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}
