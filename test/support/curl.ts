// Understands the command lines that READMEs and `run` print (curl, openssl s_client), so that a test can paste them on
// a machine that has neither.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';

export interface Outcome {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** CN of the certificate shown. */
  readonly certificate?: string;
  /** Node's error code; a TLS alert is ERR_SSL_…. */
  readonly error?: string;
}

interface Request {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  readonly tlsOptions: tls.ConnectionOptions;
  readonly http1: boolean;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Runs one line. `ports` replaces container ports by bound ones. */
export async function paste(line: string, ports: (containerPort: number) => number): Promise<Outcome> {
  const words = split(line.replace(/\s*<\/dev\/null\s*$/, ''));
  if (words[0] === 'curl') return curl(parseCurl(words.slice(1), ports));
  if (words[0] === 'openssl' && words[1] === 's_client') return handshake(words.slice(2), ports);
  throw new Error(`not understood: ${line}`);
}

function split(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

function parseCurl(words: readonly string[], ports: (port: number) => number): Request {
  let url: URL | undefined;
  let http1 = false;
  let method = 'GET';
  const headers: [string, string][] = [];
  const resolve = new Map<string, string>();
  const tlsOptions: tls.ConnectionOptions = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const value = (): string => words[++i] as string;
    if (word === '-k') tlsOptions.rejectUnauthorized = false;
    else if (word === '-i') continue;
    else if (word === '--http1.1') http1 = true;
    else if (word === '-X') method = value();
    else if (word === '-H') {
      const [name, ...rest] = value().split(': ');
      headers.push([name as string, rest.join(': ')]);
    } else if (word === '--cacert') tlsOptions.ca = readFileSync(value());
    else if (word === '--cert') tlsOptions.cert = readFileSync(value());
    else if (word === '--key') tlsOptions.key = readFileSync(value());
    else if (word === '--tls-max') tlsOptions.maxVersion = `TLSv${value()}` as tls.SecureVersion;
    else if (word === '--resolve') {
      const [host, port, address] = value().split(':');
      resolve.set(`${host}:${port}`, address as string);
    } else if (/^https?:/.test(word)) url = new URL(word);
    else throw new Error(`curl ${word}: not understood`);
  }
  if (url === undefined) throw new Error('no URL');
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  return {
    url,
    host: resolve.get(`${url.hostname}:${port}`) ?? url.hostname,
    port: ports(port),
    tlsOptions,
    http1,
    method,
    headers,
  };
}

async function curl(request: Request): Promise<Outcome> {
  const isTls = request.url.protocol === 'https:';
  const opened = await open(request, isTls);
  if ('error' in opened) return opened;
  const { socket, certificate } = opened;
  const answer =
    socket instanceof tls.TLSSocket && socket.alpnProtocol === 'h2'
      ? await http2Get(socket, request)
      : await http1Get(socket, request);
  return { ...answer, ...(certificate === undefined ? {} : { certificate }) };
}

type Opened = { readonly socket: net.Socket; readonly certificate: string | undefined } | { readonly error: string };

function open(request: Request, isTls: boolean): Promise<Opened> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve({ error: error.code ?? error.message });
    if (!isTls) {
      const socket = net.connect(request.port, request.host, () => resolve({ socket, certificate: undefined }));
      socket.once('error', failed);
      return;
    }
    const socket = tls.connect(
      {
        ...request.tlsOptions,
        host: request.host,
        port: request.port,
        servername: request.url.hostname,
        ALPNProtocols: request.http1 ? ['http/1.1'] : ['h2', 'http/1.1'],
      },
      () => resolve({ socket, certificate: commonName(socket) }),
    );
    socket.once('error', failed);
  });
}

function commonName(socket: tls.TLSSocket): string {
  const name = socket.getPeerCertificate().subject?.CN;
  return Array.isArray(name) ? (name[0] ?? '') : (name ?? '');
}

function http1Get(socket: net.Socket, { url, method, headers: lines }: Request): Promise<Outcome> {
  return new Promise((resolve) => {
    let received = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      received += chunk;
      // A backend behind a TCP route may keep the connection: the length says when the answer is whole.
      const head = received.indexOf('\r\n\r\n');
      const length = /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head + 2))?.[1];
      if (head !== -1 && length !== undefined && received.length >= head + 4 + Number(length)) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
    socket.on('close', () => {
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return resolve({ error: received === '' ? 'EMPTY_REPLY' : 'BAD_REPLY' });
      const [status, ...lines] = received.slice(0, end).split('\r\n');
      const headers = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
      );
      resolve({ status: Number(status?.split(' ')[1]), headers, body: received.slice(end + 4) });
    });
    socket.write(
      `${method} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUser-Agent: curl/8\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}Connection: close\r\n\r\n`,
    );
  });
}

function http2Get(socket: tls.TLSSocket, { url, method, headers: lines }: Request): Promise<Outcome> {
  return new Promise((resolve) => {
    const session = http2.connect(url.origin, { createConnection: () => socket });
    const failed = (error: NodeJS.ErrnoException): void => {
      resolve({ error: error.code ?? error.message });
      session.destroy();
    };
    session.on('error', failed);
    socket.on('error', failed);
    const stream = session.request(
      {
        ':method': method,
        ':path': `${url.pathname}${url.search}`,
        ':authority': url.host,
        ...Object.fromEntries(lines),
      },
      { endStream: true },
    );
    let status = 0;
    let headers: Record<string, string> = {};
    let body = '';
    stream.setEncoding('latin1');
    stream.on('response', (received) => {
      status = Number(received[':status']);
      headers = Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)]));
    });
    stream.on('data', (chunk: string) => {
      body += chunk;
    });
    stream.on('error', failed);
    stream.on('end', () => {
      if (status !== 0) resolve({ status, headers, body });
      session.close();
    });
    stream.on('close', () => {
      if (status === 0) resolve({ error: 'CLOSED' });
    });
  });
}

function handshake(words: readonly string[], ports: (port: number) => number): Promise<Outcome> {
  const flag = (name: string): string | undefined => {
    const at = words.indexOf(name);
    return at === -1 ? undefined : words[at + 1];
  };
  const [host, port] = (flag('-connect') ?? '').split(':');
  const alpn = flag('-alpn');
  return new Promise((resolve) => {
    const socket = tls.connect(
      {
        host,
        port: ports(Number(port)),
        servername: flag('-servername') ?? '',
        rejectUnauthorized: false,
        ...(alpn === undefined ? {} : { ALPNProtocols: alpn.split(',') }),
      },
      () => {
        resolve({ certificate: commonName(socket) });
        socket.destroy();
      },
    );
    socket.on('error', (error: NodeJS.ErrnoException) => resolve({ error: error.code ?? error.message }));
  });
}
