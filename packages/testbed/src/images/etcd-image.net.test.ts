// What a restore of etcd takes out of the image of etcd, with the containerd of the machines: their image, whose layers are unpacked
// and gone as archives, as node-image.ts leaves them.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packImage } from '@labwright/images/kubernetes/container-image';
import { ImageStore } from '@labwright/images/kubernetes/image-store';
import { runInRoot } from '@labwright/images/root-program';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeRoot, testCacheDirectory } from '../roots.ts';

const image = 'registry.k8s.io/etcd:3.6.6-0';
const snapshot = 'a'.repeat(64);
const restoreScript = new URL('../../../cluster/src/snapshot/guest/restore.sh', import.meta.url);
/** In the place of a static program; tells that it was called, and makes the folder that it was asked for. */
const etcdutl = `#!/bin/sh
case "$*" in *--help) echo ' --bump-revision uint'; exit ;; esac
echo "etcdutl $*"
while [ "$1" != --data-dir ]; do shift; done
mkdir "$2"
`;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-etcd-image-'));
  await mkdir(join(folder, 'state'));
});

afterEach(async () => await rm(folder, { recursive: true, force: true }));

test('etcdutl runs out of the image, and nothing of it stays mounted', { timeout: 180_000 }, async () => {
  const context = {
    cacheDir: testCacheDirectory(),
    signal: AbortSignal.timeout(170_000),
    onProgress: (message: string) => console.log(message),
  };
  const node = await nodeRoot();
  const store = await ImageStore.open(folder);
  const content = new TextEncoder().encode(etcdutl);
  const manifest = await packImage(
    store,
    { names: [image], entries: [{ kind: 'file', path: 'usr/local/bin/etcdutl', mode: 0o755, content }] },
    context.signal,
  );
  const [, , layer] = await store.listBlobs(manifest);
  await writeFile(join(store.directory, 'restore.sh'), await readFile(restoreScript));
  const settings = 'name=node101 cluster=node101=https://10.1.1.1:2380 token=t peer=https://10.1.1.1:2380';
  const script = [
    'set -e',
    'containerd --root /opt > /run/containerd.log 2>&1 &',
    'until ctr version > /dev/null 2>&1; do sleep 0.1; done',
    'tar -C /srv -cf - oci-layout index.json blobs | ctr -n k8s.io images import - >&2',
    `ctr -n k8s.io content rm ${layer?.digest ?? ''} >&2`,
    // Of the machine's own folders nothing else is written to.
    'for each in /etc/kubernetes/manifests /var/lib; do mkdir -p /run/over$each; done',
    `echo '    image: ${image}' > /run/over/etc/kubernetes/manifests/etcd.yaml`,
    'sed "s|=/etc/|=/run/over/etc/|; s|=/var/|=/run/over/var/|" /srv/restore.sh > /run/restore.sh',
    'mkdir -p /run/job/files && cd /run/job',
    `say() { :; }; snapshot=${snapshot} ${settings}`,
    // Twice, and with the image left mounted by one that was killed.
    'for act in look look; do (. /run/restore.sh); done',
    `mkdir -p /run/labwright-etcd-image && ctr -n k8s.io images mount ${image} /run/labwright-etcd-image >&2`,
    'act=restore; (. /run/restore.sh)',
    'ls -d /run/over/var/lib/etcd',
    'grep -c labwright-etcd-image /proc/mounts || :',
    'ctr -n k8s.io snapshots ls | grep -c labwright-etcd-image || :',
    'kill %1; wait || :',
  ].join('\n');
  const said = await runInRoot(
    {
      root: node,
      program: '/bin/bash',
      args: ['-c', script],
      binds: [
        { from: join(folder, 'state'), to: 'opt' },
        { from: store.directory, to: 'srv' },
      ],
      signal: context.signal,
    },
    'the restore did not run',
  );
  expect(Buffer.from(said).toString('utf8').trim().split('\n')).toEqual([
    'phase untouched',
    'phase untouched',
    expect.stringMatching(
      /^etcdutl snapshot restore files\/snapshot\.db .* --bump-revision 1000000000 --mark-compacted$/,
    ),
    '/run/over/var/lib/etcd',
    '0',
    '0',
  ]);
});
