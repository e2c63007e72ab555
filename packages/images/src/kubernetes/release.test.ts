import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { LabwrightError } from '@labwright/core/errors/error';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { binaryPath, kubernetesBinaries } from './binaries.ts';
import { ensureKubernetesRelease } from './release.ts';

/** A privileged port that nothing listens on. */
const nobody = 'http://127.0.0.1:2';
const version = kubernetesVersion('1.30.1');
let folder: string;
let mirror: string;
let server: Server | undefined;
let messages: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-release-'));
  mirror = join(folder, 'mirror');
  messages = [];
  for (const name of kubernetesBinaries) {
    const path = join(mirror, binaryPath(version, name));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contentOf(name));
    await writeFile(`${path}.sha256`, createHash('sha256').update(contentOf(name)).digest('hex'));
  }
});

afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

test('from a folder, once: then the folder may go', async () => {
  const release = await ensure(mirror);
  expect(release.source).toBe(`the mirror ${mirror}`);
  for (const name of kubernetesBinaries) {
    expect(await readFile(release.binaries[name], 'utf8')).toBe(contentOf(name));
    expect(release.sums[name]).toBe(createHash('sha256').update(contentOf(name)).digest('hex'));
  }
  await rm(mirror, { recursive: true });
  expect(await ensure(mirror)).toEqual(release);
});

test('from a server', async () => {
  const release = await ensure(await serve());
  expect(await readFile(release.binaries.kubelet, 'utf8')).toBe(contentOf('kubelet'));
});

test.each(['folder', 'server'])(
  'a program that does not have its sum enters nothing into the cache (%s)',
  async (kind) => {
    await writeFile(join(mirror, binaryPath(version, 'kube-proxy')), 'something else');
    const place = kind === 'folder' ? mirror : await serve();
    await expect(ensure(place)).rejects.toMatchObject({
      code: 'LW4001',
      where: { from: expect.stringMatching(/kube-proxy$/) },
    });
    expect((await readdir(join(folder, 'cache/kubernetes'))).filter((name) => !name.endsWith('.lock'))).toEqual([]);
  },
);

test('two at once fetch it once', async () => {
  const place = await serve();
  const [one, other] = await Promise.all([ensure(place), ensure(place)]);
  expect(one).toEqual(other);
  expect(messages.filter((message) => message.includes('kubeadm from'))).toHaveLength(1);
});

test('a version that nobody has is refused, with what each source said', async () => {
  const error: unknown = await ensureKubernetesRelease(
    { version: kubernetesVersion('1.99.9'), mirror, upstream: nobody },
    context(),
  ).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LabwrightError);
  const { code, why } = error as LabwrightError;
  expect(code).toBe('LW4003');
  expect(why).toContain('has no kubeadm.sha256 of 1.99.9');
  expect(why).toContain('; 127.0.0.1:2 could not be reached (ECONNREFUSED); ');
  expect(why).toContain('it makes 1.20.2 and 1.20.3 only');
});

test('upstream has what the mirror has not', async () => {
  const upstream = await serve();
  const empty = join(folder, 'empty');
  const release = await ensureKubernetesRelease({ version, mirror: empty, upstream }, context());
  expect(release.source).toBe(new URL(upstream).host);
  expect(messages[0]).toBe(
    `Kubernetes 1.30.1 is not to be had from the mirror ${empty}: it has no kubeadm.sha256 of 1.30.1`,
  );
});

function contentOf(name: string): string {
  return `this is ${name}\n`;
}

async function ensure(place: string): ReturnType<typeof ensureKubernetesRelease> {
  return await ensureKubernetesRelease({ version, mirror: place, upstream: nobody }, context());
}

function context() {
  return {
    cacheDir: join(folder, 'cache'),
    signal: new AbortController().signal,
    onProgress: (message: string) => void messages.push(message),
  };
}

/** The mirror's folder over HTTP. */
async function serve(): Promise<string> {
  server = createServer((request, response) => {
    readFile(join(mirror, request.url ?? '/')).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
