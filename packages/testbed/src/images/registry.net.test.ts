// The boot server as a registry mirror and as a place for programs, asked by containerd's own client and by curl.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import type { BuildContext } from '@labwright/images/debian-root';
import { takeFromPlaces } from '@labwright/images/kubernetes/image-place';
import { ImageStore } from '@labwright/images/kubernetes/image-store';
import { registryMirrorFile } from '@labwright/images/kubernetes/registry-mirror';
import { ensureWebImage, webImageName } from '@labwright/images/kubernetes/web-image';
import { runInRoot } from '@labwright/images/root-program';
import { makeNetwork } from '@labwright/netboot/make-boot';
import { startNetboot, type Netboot } from '@labwright/netboot/netboot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRoot, registryRoot, testCacheDirectory } from '../roots.ts';

const run = promisify(execFile);
const loopback = ipv4('127.0.0.1');
const server = 'http://127.0.0.1:8080';
let folder: string;
let node: string;
let store: ImageStore;
let netboot: Netboot;

/** Docker's own, as Debian has it. */

const pushScript = [
  'set -e',
  'containerd --root /opt > /run/containerd.log 2>&1 &',
  'until ctr version > /dev/null 2>&1; do sleep 0.1; done',
  `ctr images pull --hosts-dir /srv/certs.d ${webImageName} >&2`,
  `ctr images tag ${webImageName} 127.0.0.1:5000/web:1 >&2`,
  'ctr images push --plain-http 127.0.0.1:5000/web:1 >&2',
  'kill %1; wait || :',
].join('\n');

function contextOf(cacheDir: string): BuildContext {
  return { cacheDir, signal: new AbortController().signal, onProgress: (message) => console.log(message) };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-registry-'));
  const context = contextOf(testCacheDirectory());
  node = await nodeRoot();
  await ensureWebImage(context);
  store = await ImageStore.open(context.cacheDir);
  const program = join(folder, 'kubelet');
  await writeFile(program, 'a kubelet');
  const sha256 = createHash('sha256').update('a kubelet').digest('hex');
  netboot = await startNetboot(
    {
      network: makeNetwork({ address: loopback, cidr: cidr('127.0.0.0/8') }),
      directory: { findByMac: () => undefined, findByAddress: () => undefined },
      images: { get: async () => undefined },
      artifacts: {
        findManifest: async (name) => await store.findManifest(name),
        findBlob: async (digest) => await store.findBlob(digest),
        findProgram: async (version, name) =>
          version === '1.20.3' && name === 'kubelet' ? { path: program, size: 9, sha256 } : undefined,
      },
      loaders: {},
      renderIgnition: () => ({ status: 200, contentType: 'application/json', body: '{}' }),
      phoneHome: async () => ({ status: 403, reason: 'nobody' }),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      emit: () => undefined,
    },
    new AbortController().signal,
  );
}, 300_000);

afterAll(async () => {
  await netboot?.close();
  await rm(folder, { recursive: true, force: true });
});

test(
  'containerd pulls through it as the machines are configured, and says what it does not have',
  { timeout: 60_000 },
  async () => {
    const mirror = registryMirrorFile(server);
    const hosts = join(folder, 'certs.d', mirror.path.split('/certs.d/')[1] ?? '');
    await mkdir(dirname(hosts), { recursive: true });
    await writeFile(hosts, mirror.content);
    await chmod(folder, 0o755);
    const script = [
      'containerd --root /opt > /run/containerd.log 2>&1 &',
      'until ctr version > /dev/null 2>&1; do sleep 0.1; done',
      `ctr images pull --hosts-dir /srv/certs.d ${webImageName} >&2`,
      `ctr images check "name==${webImageName}"`,
      'ctr images pull --hosts-dir /srv/certs.d labwright.local/absent:1 2>&1 | tail -n 1',
      'kill %1; wait',
    ].join('\n');
    const state = join(folder, 'state');
    await mkdir(state);
    const said = await runInRoot(
      {
        root: node,
        program: '/bin/bash',
        args: ['-c', script],
        binds: [
          { from: state, to: 'opt' },
          { from: folder, to: 'srv' },
        ],
        network: 'ours',
        signal: AbortSignal.timeout(50_000),
      },
      'containerd could not pull',
    );
    const lines = Buffer.from(said).toString('utf8').trim().split('\n');
    expect(lines[1]).toMatch(new RegExp(`^${webImageName} .* complete \\(2/2\\) .* true`));
    expect(lines.at(-1)).toContain('labwright.local/absent:1');
  },
);

test('manifests by tag and by digest, with the digest as a header', async () => {
  const manifest = await store.findManifest(webImageName);
  const byTag = await fetch(`${server}/v2/web/manifests/1?ns=labwright.local`);
  expect([byTag.status, byTag.headers.get('content-type'), byTag.headers.get('docker-content-digest')]).toEqual([
    200,
    'application/vnd.oci.image.manifest.v1+json',
    manifest?.digest,
  ]);
  const text = await byTag.text();
  expect(`sha256:${createHash('sha256').update(text).digest('hex')}`).toBe(manifest?.digest);
  expect(await (await fetch(`${server}/v2/labwright.local/web/manifests/1`)).text()).toBe(text);
  expect(await (await fetch(`${server}/v2/web/manifests/${manifest?.digest}`)).text()).toBe(text);
  const head = await fetch(`${server}/v2/web/manifests/1?ns=labwright.local`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, String(text.length), '']);
});

test(
  'an image is pulled out of a registry of other people, whole and with the same digest',
  { timeout: 60_000 },
  async () => {
    const registry = await registryRoot();
    const config = join(folder, 'registry.yml');
    const data = join(folder, 'registry');
    await writeFile(
      config,
      `version: 0.1\nstorage: {filesystem: {rootdirectory: ${data}}}\nhttp: {addr: '127.0.0.1:5000'}\nlog: {level: error}\n`,
    );
    const peer = spawn(join(registry, 'usr/bin/docker-registry'), ['serve', config], { stdio: 'ignore' });
    try {
      await runInRoot(
        {
          root: node,
          program: '/bin/bash',
          args: ['-c', pushScript],
          binds: [
            { from: await mkdtemp(join(folder, 'push-')), to: 'opt' },
            { from: folder, to: 'srv' },
          ],
          network: 'ours',
          signal: AbortSignal.timeout(50_000),
        },
        'the image could not be pushed',
      );
      const fresh = await ImageStore.open(join(folder, 'fresh'));
      const asked = { places: ['http://127.0.0.1:5000'], tries: 1 };
      const pulled = await takeFromPlaces(fresh, '127.0.0.1:5000/web:1', asked, contextOf(folder));
      const pushed = await store.findManifest(webImageName);
      expect(pulled.digest).toBe(pushed?.digest);
      for (const { digest, size } of await fresh.listBlobs(pulled)) {
        const content = await readFile(fresh.blobPath(digest));
        expect([`sha256:${createHash('sha256').update(content).digest('hex')}`, content.length]).toEqual([
          digest,
          size,
        ]);
      }
      await expect(takeFromPlaces(fresh, '127.0.0.1:5000/web:2', asked, contextOf(folder))).rejects.toThrow(
        '127.0.0.1:5000 answered 404 for web/manifests/2',
      );
    } finally {
      peer.kill('SIGKILL');
    }
  },
);

test('curl goes on with a layer where it was cut, and gets the same bytes', async () => {
  const manifest = await store.findManifest(webImageName);
  if (manifest === undefined) throw new Error('no web image');
  const layer = (await store.listBlobs(manifest))[2];
  if (layer === undefined) throw new Error('no layer');
  const file = join(folder, 'layer');
  const url = `${server}/v2/web/blobs/${layer.digest}`;
  await run('curl', ['-sf', '-r', '0-99999', '-o', file, url]);
  await run('curl', ['-sf', '-C', '-', '-o', file, url]);
  expect(
    `sha256:${createHash('sha256')
      .update(await readFile(file))
      .digest('hex')}`,
  ).toBe(layer.digest);
});

test('programs of a release with their sums, and parts of them', async () => {
  const url = `${server}/kubernetes/v1.20.3/kubelet`;
  expect(await (await fetch(url)).text()).toBe('a kubelet');
  expect((await (await fetch(`${url}.sha256`)).text()).trim()).toMatch(/^[0-9a-f]{64}$/);
  const part = await fetch(url, { headers: { range: 'bytes=2-' } });
  expect([part.status, await part.text()]).toEqual([206, 'kubelet']);
});

test.each([
  ['GET', '/v2/web/manifests/2?ns=labwright.local', 404],
  ['GET', `/v2/web/blobs/sha256:${'0'.repeat(64)}`, 404],
  ['GET', '/v2/web/blobs/sha256:..%2f..%2findex.json', 404],
  ['GET', '/v2/../../etc/passwd', 404],
  ['GET', '/v2/_catalog', 404],
  ['POST', '/v2/web/blobs/uploads/', 405],
  ['GET', '/kubernetes/v1.20.3/kube-apiserver', 404],
  ['GET', '/kubernetes/v1.20.3/../../release.json', 404],
  ['GET', '/v2/', 200],
])('%s %s: %i', async (method, path, status) => {
  expect((await fetch(`${server}${path}`, { method })).status).toBe(status);
});
