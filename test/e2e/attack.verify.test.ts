// Nasty clients and nasty upstreams around a running `postern run` that reloads all the time: it must neither end nor
// keep anything. POSTERN_ATTACKS and POSTERN_SEED play a longer or an earlier run.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { attackConfig, seededRandom } from '../support/attack.js';
import { attackOnce } from '../support/nasty-clients.js';
import { startNastyHttp1, startNastyHttp2, startNastyTcp } from '../support/nasty-upstream.js';
import { type RunningPostern, startPostern } from '../support/postern.js';

const ATTACKS = Number(process.env['POSTERN_ATTACKS'] ?? 4000);
const SEED = Number(process.env['POSTERN_SEED'] ?? Date.now() % 1_000_000);
const AT_ONCE = 40;

function descriptors({ child }: RunningPostern): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

function memory({ child }: RunningPostern): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

function ask(port: number, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path: target, agent: false, timeout: 5000 }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () => resolve(`${response.statusCode} ${body}`));
      })
      .on('timeout', () => reject(new Error('no answer in time')))
      .on('error', reject);
  });
}

for (const proxyProtocol of [false, true]) {
  await t.test(`${ATTACKS} attacks, seed ${SEED}${proxyProtocol ? ', PROXY protocol' : ''}`, async (t) => {
    const random = seededRandom(SEED);
    const upstreams = [
      await startNastyHttp1(random),
      await startNastyHttp2(random),
      await startNastyTcp(random),
    ] as const;
    const folder = await mkdtemp(path.join(tmpdir(), 'postern-attack-'));
    const file = path.join(folder, 'all.yaml');
    const next = path.join(folder, 'next.txt');
    const ports = { http: upstreams[0].port, http2: upstreams[1].port, tcp: upstreams[2].port };
    await writeFile(file, attackConfig(ports));
    const mesh = path.join(folder, 'mesh.yml');
    await writeFile(mesh, 'defaultConfig: { gatewayTopology: { proxyProtocol: {} } }\n');
    const postern = await startPostern([
      file,
      '--no-watch',
      ...['--port', '80=0', '--port', '443=0', '--port', '9000=0'],
      ...(proxyProtocol ? ['--mesh-config', mesh] : []),
    ]);
    let exited = false;
    postern.child.on('exit', () => {
      exited = true;
    });
    const bound = { http: postern.port(8080), https: postern.port(8443), tcp: postern.port(9000) };
    const attack = async (count: number): Promise<void> => {
      const worker = async (_: unknown, first: number): Promise<void> => {
        for (let n = first; n < count && !exited; n += AT_ONCE)
          await Promise.race([attackOnce(bound, random), wait(2000)]);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    };
    // The first rounds compile code and fill pools; growth is measured from there.
    await attack(300);
    const before = memory(postern);

    let version = 0;
    let done = false;
    const reloads = (async () => {
      while (!done && !exited) {
        version++;
        await writeFile(next, attackConfig(ports, { version, mode: version % 3 === 0 ? 'MUTUAL' : 'SIMPLE' }));
        await rename(next, file); // a file that is read half written would be an empty configuration
        postern.child.kill('SIGHUP');
        await wait(100);
      }
    })();
    await attack(ATTACKS);
    done = true;
    await reloads;
    t.notOk(exited, `still up\n${exited ? postern.stderr().slice(-3000) : ''}`);
    t.notMatch(postern.stderr(), /Error|at file:/);
    for (const upstream of upstreams) await upstream.close();
    if (!exited) {
      if (!proxyProtocol) t.equal(await ask(bound.http, '/version').catch(String), `200 v${version}`);
      // Nothing is left but what an idle gateway holds: the delayed closes end within a second or two.
      const idle = 60;
      for (let i = 0; i < 300 && descriptors(postern) > idle; i++) await wait(50);
      t.ok(descriptors(postern) <= idle, `${descriptors(postern)} descriptors`);
      t.ok(memory(postern) < before + 150, `${before} → ${memory(postern)} MiB`);
      t.equal((await postern.stop()).code, 0);
    }
    await rm(folder, { recursive: true });
  });
}

t.end();
// Clients that were left half-way would keep this process alive.
setTimeout(() => process.exit(), 500).unref();
