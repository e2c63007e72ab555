// Container images of a release out of a mirror's folder and out of a registry, with a kubeadm that only lists what it wants.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { binaryPath, kubernetesBinaries } from './binaries.ts';
import { ensureClusterImages, ensureCoreDns } from './cluster-images.ts';
import { packImage } from './container-image.ts';
import { assertImagesToBeHad } from './image-check.ts';
import { ImageStore, parseDigest } from './image-store.ts';
import { ensureKubernetesRelease, type KubernetesRelease } from './release.ts';

const version = kubernetesVersion('1.35.4');
const etcd = 'registry.k8s.io/etcd:3.6.6-0';
const coreDns = 'registry.k8s.io/coredns/coredns:v1.13.1';
const all = [
  ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy'].map(
    (name) => `registry.k8s.io/${name}:v1.35.4`,
  ),
  coreDns,
  'registry.k8s.io/pause:3.10.1',
  etcd,
];
/** Nothing may be looked at there: what cannot be packed does not come out of it. */
const node = { directory: '/nowhere', key: 'none' };

let fullFolder: string;
let full: ImageStore;
let folder: string;
let mirror: string;
let registry: Registry;
let messages: string[];

beforeAll(async () => {
  fullFolder = await mkdtemp(join(tmpdir(), 'labwright-full-'));
  full = await ImageStore.open(fullFolder);
  for (const name of all) {
    const content = new TextEncoder().encode(`the program of ${name}`);
    const entries = [{ kind: 'file', path: 'program', mode: 0o755, content } as const];
    await packImage(full, { names: [name], entries }, new AbortController().signal);
  }
});

afterAll(async () => await rm(fullFolder, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-images-'));
  mirror = join(folder, 'mirror');
  messages = [];
  registry = await startRegistry(await makeStore('upstream', []));
  await makePrograms(all);
});

afterEach(async () => {
  registry.server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('images of a release that wants another etcd than Debian has', { timeout: 60_000 }, () => {
  test('are taken out of the folder of the mirror, once: then it may go', async () => {
    await fillMirror(all);
    const { manifests } = await ensureImages();
    expect([...manifests.keys()].toSorted()).toEqual([...all].toSorted());
    expect(registry.asked).toEqual([]);
    await rm(join(mirror, 'images'), { recursive: true });
    expect((await ensureImages()).manifests).toEqual(manifests);
  });

  test('are pulled from the registry of upstream where the folder has none', async () => {
    registry.store = await makeStore('full', all);
    const { manifests } = await ensureImages();
    const store = await ImageStore.open(join(folder, 'cache'));
    for (const name of all) {
      const digest = (await registry.store.findManifest(name))?.digest;
      expect(manifests.get(name)?.digest).toBe(digest);
      expect((await store.findManifest(name))?.digest).toBe(digest);
    }
  });

  test('come each from the place that has it, and a registry that breaks off is asked again', async () => {
    await fillMirror(all.filter((name) => name !== etcd));
    registry.store = await makeStore('full', [etcd]);
    registry.breaksOff = 2;
    expect((await ensureImages()).manifests.size).toBe(all.length);
  });

  test('are refused when one is nowhere, and not packed from anything else', async () => {
    await fillMirror(all.filter((name) => name !== etcd));
    await expect(ensureImages()).rejects.toMatchObject({
      code: 'LW4004',
      message: `no source has the container image ${etcd}`,
      why: `${mirror}/images has no image ${etcd}; ${registry.host} answered 404 for etcd/manifests/3.6.6-0`,
      fix: expect.arrayContaining([expect.stringContaining(`skopeo copy docker://${etcd} oci:MIRROR/images:${etcd}`)]),
    });
    expect(messages.join('\n')).not.toContain('packing');
  });

  test('are refused when one is not what its digest says', async () => {
    await fillMirror(all);
    const blobs = join(mirror, 'images/blobs/sha256');
    for (const name of await readdir(blobs)) {
      const content = await readFile(join(blobs, name));
      const at = content.indexOf(`the program of ${etcd}`);
      if (at >= 0) await writeFile(join(blobs, name), content.fill('T', at, at + 1));
    }
    await expect(ensureImages()).rejects.toMatchObject({ code: 'LW4001' });
  });

  test('may lack CoreDNS, which who cannot do without asks for by itself', async () => {
    await fillMirror(all.filter((name) => name !== coreDns));
    expect((await ensureImages()).manifests.has(coreDns)).toBe(false);
    await expect(ensureCoreDns(await getRelease(), context())).rejects.toMatchObject({
      code: 'LW4004',
      where: { image: coreDns },
    });
    registry.store = await makeStore('full', [coreDns]);
    await ensureCoreDns(await getRelease(), context());
    expect((await ensureImages()).manifests.has(coreDns)).toBe(true);
  });
});

describe('before anything is made', { timeout: 60_000 }, () => {
  const check = async (): Promise<void> =>
    await assertImagesToBeHad({ version, mirror, upstream: registry.url }, context());

  test('images are asked for by the names of kubeadm alone, and nothing else is fetched', async () => {
    for (const name of kubernetesBinaries.filter((each) => each !== 'kubeadm')) {
      await rm(join(mirror, binaryPath(version, name)));
    }
    await fillMirror(all);
    await check();
    expect(messages).toEqual([expect.stringMatching(/kubeadm from the mirror/)]);
    await check();
    expect(messages).toHaveLength(1);
    const store = await ImageStore.open(join(folder, 'cache'));
    expect(await store.listNames()).toEqual([]);
  });

  test.each([etcd, coreDns])('%s that nobody has is told of', async (missing) => {
    await fillMirror(all.filter((name) => name !== missing));
    await expect(check()).rejects.toMatchObject({ code: 'LW4004', where: { image: missing } });
  });

  test('what is in the cache is not asked for', async () => {
    await fillMirror(all);
    await ensureImages();
    await rm(join(mirror, 'images'), { recursive: true });
    await check();
    expect(registry.asked).toEqual([]);
  });

  test('of a release that can be packed here only CoreDNS is asked for', async () => {
    await makePrograms(all.map((name) => name.replace(etcd, 'registry.k8s.io/etcd:3.4.13-0')));
    await expect(check()).rejects.toMatchObject({ code: 'LW4004', where: { image: coreDns } });
    await fillMirror([coreDns]);
    await check();
  });

  test('a version that nobody has is told of', async () => {
    const other = { version: kubernetesVersion('1.99.9'), mirror, upstream: registry.url };
    await expect(assertImagesToBeHad(other, context())).rejects.toMatchObject({ code: 'LW4003' });
  });
});

function context() {
  return {
    cacheDir: join(folder, 'cache'),
    signal: new AbortController().signal,
    onProgress: (message: string) => void messages.push(message),
  };
}

async function getRelease(): Promise<KubernetesRelease> {
  return await ensureKubernetesRelease({ version, mirror, upstream: registry.url }, context());
}

async function ensureImages(): ReturnType<typeof ensureClusterImages> {
  return await ensureClusterImages(await getRelease(), node, context());
}

async function makePrograms(names: readonly string[]): Promise<void> {
  for (const name of kubernetesBinaries) {
    const path = join(mirror, binaryPath(version, name));
    const content = `#!/bin/sh\n[ "$*" = "config images list --kubernetes-version v1.35.4" ] || exit\necho '${names.join('\n')}'\n`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    await writeFile(`${path}.sha256`, createHash('sha256').update(content).digest('hex'));
    await chmod(path, 0o755);
  }
}

/** One with all of them, whose index is cut down to those. */
async function makeStore(name: string, names: readonly string[]): Promise<ImageStore> {
  const store = await ImageStore.open(join(folder, name));
  await cp(full.directory, store.directory, { recursive: true });
  const file = join(store.directory, 'index.json');
  const index = JSON.parse(await readFile(file, 'utf8')) as { readonly manifests: readonly NamedEntry[] };
  const manifests = index.manifests.filter(({ annotations }) =>
    names.includes(annotations['io.containerd.image.name']),
  );
  await writeFile(file, JSON.stringify({ ...index, manifests }));
  return store;
}

interface NamedEntry {
  readonly annotations: { readonly 'io.containerd.image.name': string };
}

/** Our own store is such a layout. */
async function fillMirror(names: readonly string[]): Promise<void> {
  const { directory } = await makeStore(`of-mirror-${names.length}`, names);
  await mkdir(mirror, { recursive: true });
  await rename(directory, join(mirror, 'images'));
}

interface Registry {
  store: ImageStore;
  /** As many requests from now on as are cut off. */
  breaksOff: number;
  readonly asked: string[];
  readonly server: Server;
  readonly host: string;
  readonly url: string;
}

async function startRegistry(store: ImageStore): Promise<Registry> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://registry');
    if (!pathname.startsWith('/v2/')) return void response.writeHead(404).end();
    started.asked.push(pathname);
    if (started.breaksOff > 0) {
      started.breaksOff -= 1;
      return void request.socket.destroy();
    }
    void answer(started.store, pathname).then(
      (found) => response.writeHead(200, { 'content-type': found.mediaType }).end(found.content),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const started: Registry = { store, breaksOff: 0, asked: [], server, host, url: `http://${host}` };
  return started;
}

async function answer(store: ImageStore, path: string) {
  const [, repository, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
  const byTag =
    kind === 'manifests' ? await store.findManifest(`registry.k8s.io/${repository}:${reference}`) : undefined;
  const digest = byTag?.digest ?? parseDigest(reference ?? '');
  if (digest === undefined) throw new Error('no such thing');
  return { mediaType: byTag?.mediaType ?? 'application/octet-stream', content: await store.readBlob(digest) };
}
