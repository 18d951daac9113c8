// Many idle connections and many reloads leave nothing behind: file descriptors and memory of the real process.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import tls from 'node:tls';
import t from 'tap';
import { paste } from '../support/curl.js';
import { type RunningPostern, startPostern } from '../support/postern.js';

const CONNECTIONS = 2000;
const RELOADS = 200;

interface Footprint {
  readonly descriptors: number;
  /** MiB resident. */
  readonly memory: number;
}

function footprint({ child }: RunningPostern): Footprint {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${child.pid}/fd`).length,
    memory: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024,
  };
}

async function settled(postern: RunningPostern, until: (now: Footprint) => boolean): Promise<Footprint> {
  let now = footprint(postern);
  for (let i = 0; i < 200 && !until(now); i++) {
    await wait(50);
    now = footprint(postern);
  }
  return now;
}

t.test(`${CONNECTIONS} idle connections and ${RELOADS} reloads leave no growth`, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-soak-'));
  for (const name of ['1-web.yaml', '3-bookinfo.yaml', '4-bookinfo-mutual.yaml']) {
    await writeFile(path.join(folder, name), readFileSync(`examples/tutorial/istio/${name}`));
  }
  const changing = (version: number): Promise<void> =>
    writeFile(
      path.join(folder, '9-changing.yaml'),
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: changing, namespace: demo }\nspec:\n  hosts: [local.test]\n  gateways: [istio-system/web-gateway]\n  http:\n  - match: [{ uri: { prefix: /v${version} } }]\n    directResponse: { status: 200, body: { string: v${version} } }\n`,
    );
  await changing(0);
  const postern = await startPostern([folder, '--access-log', 'off', '--no-watch']);
  const port = postern.port(8443);
  const ask = (target: string): ReturnType<typeof paste> =>
    paste(
      `curl --cacert examples/tutorial/certs/local-test.crt --resolve local.test:8443:127.0.0.1 https://local.test:8443${target}`,
      () => port,
    );
  t.equal((await ask('/v0')).status, 200);

  const reload = async (version: number): Promise<void> => {
    const before = postern.stderr().split('reloaded').length;
    await changing(version);
    postern.child.kill('SIGHUP');
    for (let i = 0; i < 1000 && postern.stderr().split('reloaded').length === before; i++) await wait(5);
  };
  // The first rounds compile code and fill pools; growth is measured from there.
  for (let version = 1; version <= 20; version++) await reload(version);
  const before = await settled(postern, () => true);

  const sockets: net.Socket[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket =
      i % 2 === 0
        ? net.connect(port, '127.0.0.1')
        : tls.connect({ port, host: '127.0.0.1', servername: 'local.test', rejectUnauthorized: false });
    socket.on('error', () => {});
    sockets.push(socket);
    if (i % 100 === 99) await new Promise((resolve) => socket.once(i % 2 === 0 ? 'connect' : 'secureConnect', resolve));
  }
  const loaded = await settled(postern, ({ descriptors }) => descriptors >= before.descriptors + CONNECTIONS);
  t.ok(loaded.descriptors >= before.descriptors + CONNECTIONS, `${loaded.descriptors} descriptors`);
  for (let version = 21; version <= 20 + RELOADS; version++) await reload(version);
  t.match(await ask(`/v${20 + RELOADS}`), { status: 200, body: `v${20 + RELOADS}` });
  for (const socket of sockets) socket.destroy();
  const after = await settled(postern, ({ descriptors }) => descriptors <= before.descriptors + 5);
  t.comment(`before ${JSON.stringify(before)}, loaded ${JSON.stringify(loaded)}, after ${JSON.stringify(after)}`);
  t.ok(after.descriptors <= before.descriptors + 5, 'descriptors are back');
  t.ok(after.memory < loaded.memory + 60, 'reloads under load do not pile up');
  t.ok(after.memory < before.memory + 150, 'memory is back, but for what the heap keeps');
  t.equal((await postern.stop()).code, 0);
  await rm(folder, { recursive: true });
});
