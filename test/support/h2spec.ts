// h2spec, the conformance suite of HTTP/2 (Go module github.com/summerwind/h2spec), built outside the repository, and what
// Envoy 1.40 fails of it. The list was recorded with the Envoy of the golden recordings; where there is an Envoy
// (test/parity/envoy.ts) the suite runs against that as well.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MODULE = 'github.com/summerwind/h2spec/cmd/h2spec';
/** The newest tag has no module path of its own, so proxies may serve only the one before: both have the same cases. */
const VERSIONS = ['v2.6.0', 'v2.2.1+incompatible'];
const GO = ['go', '/usr/local/go/bin/go'];

/** Section and case, as in the report: what Envoy 1.40 fails, with --strict. */
export const ENVOY_FAILURES: readonly string[] = [
  // Reading ends with a GOAWAY of the client when nothing is open: the PING behind it is not answered.
  'generic/3.8 | Sends a GOAWAY frame',
  'http2/7 | Sends a GOAWAY frame with unknown error code',
  // Frames on streams that are gone are skipped: a race costs nobody anything.
  'http2/5.1 | closed: Sends a DATA frame after sending RST_STREAM frame',
  'http2/5.1 | closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'http2/5.1 | closed: Sends a DATA frame',
  'http2/5.1 | closed: Sends a HEADERS frame',
  'http2/5.1.1 | Sends stream identifier that is numerically smaller than previous',
  // PRIORITY is ignored.
  'http2/5.3.1 | Sends PRIORITY frame that depend on itself',
  'http2/6.3 | Sends a PRIORITY frame with 0x0 stream identifier',
  // The connection ends without a word where a code was asked for.
  'http2/5.4.1 | Sends an invalid PING frame to receive GOAWAY frame',
  'http2/6.9.1 | Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1',
  'http2/6.9.1 | Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
];
/** In plaintext a wrong preface is HTTP/1.1, and answered as that. */
export const ENVOY_PLAINTEXT_FAILURES: readonly string[] = [
  ...ENVOY_FAILURES,
  'http2/3.5 | Sends invalid connection preface',
];

/** Path of the binary, built when it is not there; undefined with the reason when it cannot be built here. */
export async function buildH2spec(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const folder = path.join(tmpdir(), 'postern-h2spec');
  const binary = path.join(folder, 'bin', 'h2spec');
  if (existsSync(binary)) return { path: binary };
  await mkdir(folder, { recursive: true });
  let reason = 'no Go';
  for (const go of GO) {
    for (const version of VERSIONS) {
      const failure = await run(go, ['install', `${MODULE}@${version}`], {
        ...process.env,
        GOPATH: folder,
        GOFLAGS: '-modcacherw',
        GOBIN: path.join(folder, 'bin'),
      });
      if (failure === undefined) return { path: binary };
      reason = failure;
      if (failure.includes('ENOENT')) break;
    }
  }
  return { missing: reason };
}

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout: 180_000 }, (error, _stdout, stderr) => {
      resolve(error === null ? undefined : stderr.trim() || error.message);
    });
  });
}

export interface H2specResult {
  readonly cases: number;
  /** `section | case`. */
  readonly failures: readonly string[];
}

/** Runs the whole suite against a port; about a minute, most of it waiting for connections that say nothing. */
export async function runH2spec(binary: string, port: number, tls: boolean): Promise<H2specResult> {
  const report = path.join(tmpdir(), `postern-h2spec-${process.pid}-${port}.xml`);
  const args = [
    '--strict',
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    '-o',
    '2',
    '-j',
    report,
    ...(tls ? ['-t', '-k'] : []),
  ];
  const child = spawn(binary, args, { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), 240_000);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const xml = await readFile(report, 'latin1');
  await rm(report);
  const failures: string[] = [];
  let cases = 0;
  for (const [, section, name, end] of xml.matchAll(
    /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>\s*(<failure|<error|<skipped|<\/testcase>|)/g,
  )) {
    cases++;
    if (end === '<failure' || end === '<error') failures.push(`${section} | ${name}`);
  }
  return { cases, failures };
}
