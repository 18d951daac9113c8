// Responses as bytes. Headers are complete when they come here; what is added is the status line and chunk framing.
import { reasonPhrase } from './reason-phrases.js';

/** Behind the last chunk. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Status line and headers as latin1 text. An answer to HTTP/1.0 says so. */
export function renderResponseHead(status: number, headers: readonly string[], isHttp10 = false): string {
  let text = `HTTP/1.${isHttp10 ? '0' : '1'} ${status} ${reasonPhrase(status)}\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/** The line before a chunk's data. */
export function chunkStart(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}
