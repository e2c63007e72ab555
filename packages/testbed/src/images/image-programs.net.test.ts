// What is in the images that we pack is run as a container would: with nothing around it but the image's own files.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BuildContext } from '@labwright/images/debian-root';
import { readPacketFilter } from '@labwright/images/kubernetes/cluster-images';
import { packImage, type ImageEntry } from '@labwright/images/kubernetes/container-image';
import { ImageStore, type Digest } from '@labwright/images/kubernetes/image-store';
import { ensureWebImage } from '@labwright/images/kubernetes/web-image';
import { runInRoot } from '@labwright/images/root-program';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeRoot, testCacheDirectory } from '../roots.ts';

const run = promisify(execFile);
const context: BuildContext = {
  cacheDir: testCacheDirectory(),
  signal: new AbortController().signal,
  onProgress: (message) => console.log(message),
};
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-image-'));
});

afterAll(async () => await rm(folder, { recursive: true, force: true }));

/** The layers of an image, as one root; with the folders that a container's runtime mounts over. */
async function unpack(store: ImageStore, name: string): Promise<string> {
  const root = join(folder, name.replaceAll(/\W/g, '-'));
  for (const mounted of ['proc', 'sys', 'dev', 'run', 'tmp', 'srv'])
    await mkdir(join(root, mounted), { recursive: true });
  const manifest = await store.findManifest(name);
  const file = manifest === undefined ? undefined : await store.findBlob(manifest.digest);
  if (file === undefined) throw new Error(`${name} is not in the store`);
  const { layers } = JSON.parse(await readFile(file.path, 'utf8')) as { layers: { digest: Digest }[] };
  for (const { digest } of layers) {
    const layer = await store.findBlob(digest);
    if (layer !== undefined) await run('tar', ['-x', '-f', layer.path, '-C', root]);
  }
  return root;
}

/** As kube-proxy of 1.20 writes them for a Service of two pods with a port on the nodes: every match and target that it uses. */
const rules = `*filter
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-SERVICES -m comment --comment "default/web has no endpoints" -m addrtype --dst-type LOCAL -p tcp -m tcp --dport 30081 -j REJECT
COMMIT
*nat
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SVC-A -m comment --comment "default/web" -m recent --name KUBE-SEP-A --rcheck --seconds 10800 --reap -j KUBE-SEP-A
-A KUBE-SVC-A -m comment --comment "default/web" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-A
-A KUBE-SVC-A -m comment --comment "default/web" -j KUBE-SEP-B
-A KUBE-SEP-A -s 10.244.0.2/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-A -m recent --name KUBE-SEP-A --set -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:80
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:80
COMMIT
`;

test('the iptables of kube-proxy take every rule that it writes', { timeout: 240_000 }, async () => {
  const node = await nodeRoot();
  const store = await ImageStore.open(folder);
  const entries: readonly ImageEntry[] = await readPacketFilter(node, context.signal);
  await packImage(store, { names: ['test.local/filter:1'], entries }, context.signal);
  const root = await unpack(store, 'test.local/filter:1');
  await writeFile(join(root, 'srv/rules'), rules);
  const inside = { root, binds: [], signal: AbortSignal.timeout(20_000) };
  const restore = { ...inside, program: '/usr/sbin/iptables-restore', args: ['--noflush', '/srv/rules'] };
  await expect(runInRoot(restore, 'the rules were not taken')).resolves.toBeInstanceOf(Uint8Array);
});

test('the web server of the web image serves, and its wget fetches by name', { timeout: 120_000 }, async () => {
  const name = await ensureWebImage(context);
  const root = await unpack(await ImageStore.open(context.cacheDir), name);
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 peer.test\n');
  const peer = createServer((_, response) => response.end('fetched'));
  peer.listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const address = peer.address();
  if (address === null || typeof address === 'string') throw new Error('a server on a port has one');
  try {
    const said = await runInRoot(
      {
        root,
        program: '/bin/wget',
        // Not -T, with which Debian 12's busybox (1.35) ends in a fault.
        args: ['-q', '-O', '-', `http://peer.test:${address.port}/`],
        binds: [],
        network: 'ours',
        signal: AbortSignal.timeout(20_000),
      },
      'wget of the web image failed',
    );
    expect(Buffer.from(said).toString('utf8')).toBe('fetched');
  } finally {
    peer.close();
  }
});
