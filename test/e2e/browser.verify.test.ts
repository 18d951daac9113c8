// A browser over https, headless Chromium: it opens the tutorial's page through the gateway, over HTTP/2, fetches from it
// both ways and talks over a WebSocket. Skipped, and said, where there is no Chromium.
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { commandVersion, listenOnLoopback } from '../support/client-gateway.js';
import { startPostern } from '../support/postern.js';

const NAMES = [process.env['POSTERN_TEST_CHROMIUM'] ?? '', 'chromium-headless-shell', 'chromium', 'google-chrome'];
const browser = NAMES.find((name) => name !== '' && commandVersion(name, ['--version', '--no-sandbox']) !== undefined);
const what = browser === undefined ? 'browser SKIPPED (no Chromium on the path)' : commandVersion(browser);
t.comment(`real clients: ${what}`);

// What the page finds out, it posts; the test waits for that.
const PAGE = `<!doctype html><title>tutorial</title><link rel="icon" href="data:,"><script>
const report = { protocol: performance.getEntriesByType('navigation')[0].nextHopProtocol, secure: isSecureContext };
const socket = new WebSocket('wss://' + location.host + '/chat');
socket.binaryType = 'arraybuffer';
const open = new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
const message = () => new Promise((resolve) => { socket.onmessage = (event) => resolve(event.data); });
(async () => {
  const stream = await fetch('/stream');
  report.stream = await stream.text();
  report.server = stream.headers.get('server');
  report.up = await (await fetch('/up', { method: 'POST', body: new Uint8Array(2000000) })).text();
  report.many = (await Promise.all(Array.from({ length: 40 }, (_, i) => fetch('/stream?' + i)))).filter((one) => one.ok).length;
  report.missing = (await fetch('/gone')).status;
  await open;
  socket.send('grüße');
  report.text = await message();
  socket.send(new Uint8Array(300000));
  report.binary = (await message()).byteLength;
  const closed = new Promise((resolve) => { socket.onclose = (event) => resolve(event.code + ' ' + event.reason + ' ' + event.wasClean); });
  socket.send('close');
  report.closed = await closed;
})().catch((error) => { report.error = String(error); }).finally(() => fetch('/report', { method: 'POST', body: JSON.stringify(report) }));
</script>`;

t.test(
  'Chromium opens the tutorial over https',
  { timeout: 120_000, skip: browser === undefined && 'no Chromium' },
  async (t) => {
    let reported: (text: string) => void = () => {};
    const report = new Promise<string>((resolve) => {
      reported = resolve;
    });
    const versions = new Set<string>();
    const web = http.createServer((request, response) => {
      versions.add(request.httpVersion);
      let bytes = 0;
      let text = '';
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (request.url === '/report') text += String(chunk);
      });
      request.on('end', () => {
        if (request.url === '/') response.setHeader('content-type', 'text/html; charset=utf-8').end(PAGE);
        else if (request.url === '/up') response.end(String(bytes));
        else if (request.url === '/gone') response.writeHead(410).end();
        else if (request.url === '/report') {
          response.end();
          reported(text);
        } else {
          response.write('one ');
          response.end('two');
        }
      });
    });
    const sockets = new WebSocketServer({ server: web });
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => {
        if (!isBinary && String(data) === 'close') socket.close(4000, 'done');
        else socket.send(data, { binary: isBinary });
      });
    });
    const upstream = `web.demo.svc.cluster.local:80=127.0.0.1:${await listenOnLoopback(web)}`;
    const postern = await startPostern(['examples/tutorial/istio', '--no-watch', '--upstream', upstream]);
    const profile = await mkdtemp(path.join(tmpdir(), 'postern-browser-'));
    const { publicKey } = new X509Certificate(readFileSync('examples/tutorial/certs/local-test.crt'));
    const pin = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
    const child = spawn(
      browser as string,
      [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
        '--disable-background-networking',
        `--user-data-dir=${profile}`,
        `--host-resolver-rules=MAP local.test:443 127.0.0.1:${postern.port(8443)}, MAP * ~NOTFOUND`,
        `--ignore-certificate-errors-spki-list=${pin}`, // the tutorial's own certificate, and no other
        'https://local.test/',
      ],
      { stdio: 'ignore', detached: true },
    );
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const late = new Promise<string>((resolve) => {
      setTimeout(() => resolve('{"error":"nothing was reported within 60 seconds"}'), 60_000).unref();
    });
    const said: unknown = JSON.parse(await Promise.race([report, late]));
    // The group: Chromium is a family of processes.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await ended;
    t.strictSame(said, {
      protocol: 'h2',
      secure: true,
      stream: 'one two',
      server: 'istio-envoy',
      up: '2000000',
      many: 40,
      missing: 410,
      text: 'grüße',
      binary: 300_000,
      closed: '4000 done true',
    });
    t.same([...versions], ['1.1'], 'the upstream speaks HTTP/1.1');
    const { code, stdout, stderr } = await postern.stop();
    t.equal(code, 0);
    t.match(stdout, /"GET \/chat HTTP\/1\.1" 101 /, 'the WebSocket came over a connection of its own');
    t.notMatch(stderr, /Error|Unhandled/);
    sockets.close();
    web.closeAllConnections();
    web.close();
    await rm(profile, { recursive: true, force: true });
  },
);
