// Which program restores the data of etcd on a machine: the real script, with the machine's folders in one of ours, and containerd,
// etcdctl and etcdutl played by scripts that tell how they were called.
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const script = await readFile(join(import.meta.dirname, 'guest/restore.sh'), 'utf8');
const snapshot = 'a'.repeat(64);
const order = {
  name: 'node101',
  peer: 'https://10.1.1.1:2380',
  cluster: 'node101=https://10.1.1.1:2380',
  token: 'restored-a',
};
const restoring =
  'snapshot restore files/snapshot.db --data-dir FOLDER/var/lib/etcd.restored --name node101 ' +
  '--initial-cluster node101=https://10.1.1.1:2380 --initial-cluster-token restored-a --initial-advertise-peer-urls https://10.1.1.1:2380';

/** What the stand-ins of etcdctl and etcdutl do besides telling. */
const restores = 'while [ "$1" != --data-dir ]; do shift; done; mkdir "$2"; echo new > "$2/db"';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-restore-script-'));
  await mkdir(join(folder, 'run/job/files'), { recursive: true });
  await write('var/lib/etcd/db', 'old\n');
  await program('bin/etcdctl', `echo "$ETCDCTL_API etcdctl $*" >> ${folder}/told\n${restores}`);
  // An image is a folder below images/; one that is mounted twice is an error, as it is for containerd.
  await program(
    'bin/ctr',
    `[ "$1 $2 $3" = '--namespace k8s.io images' ] || exit 9
case $4 in
  mount) [ ! -e ${folder}/mounted ] || { echo "snapshot $6 already exists" >&2; exit 1; }
    [ -d "${folder}/images/$5" ] || { echo "$5: not found" >&2; exit 1; }
    touch ${folder}/mounted; cp -R "${folder}/images/$5/." "$6" ;;
  unmount) [ "$5" = --rm ] || exit 9; rm -rf ${folder}/mounted; rm -rf "$6" ;;
esac`,
  );
});

afterEach(async () => await rm(folder, { recursive: true, force: true }));

test('a machine that was made anew is in no cluster, and is left out', async () => {
  expect(await run('look')).toEqual({ code: 0, lines: ['phase absent'] });
});

describe('the etcd of a machine', { timeout: 60_000 }, () => {
  test.each(['3.4.13-0', 'v3.4.23'])('%s is restored by the etcdctl of the machine', async (tag) => {
    await runsEtcd(`k8s.gcr.io/etcd:${tag}`);
    expect(await run('look')).toEqual({ code: 0, lines: ['phase untouched'] });
    expect(await run('restore')).toMatchObject({ code: 0 });
    expect(await told()).toEqual([`3 etcdctl ${restoring}`]);
    expect(await data()).toBe('new\n');
  });

  test('3.6 is restored by the etcdutl of its image, to a later revision', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0', '--bump-revision');
    expect(await run('look')).toEqual({ code: 0, lines: ['phase untouched'] });
    expect(await told()).toEqual([]);
    expect(await run('restore')).toMatchObject({ code: 0 });
    expect(await told()).toEqual([`etcdutl ${restoring} --bump-revision 1000000000 --mark-compacted`]);
    expect(await data()).toBe('new\n');
    expect(await isMounted()).toBe(false);
  });

  test('3.5 whose etcdutl does not know that is restored without', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.5.6-0', '--name');
    expect(await run('restore')).toMatchObject({ code: 0 });
    expect(await told()).toEqual([`etcdutl ${restoring}`]);
  });

  test('is that of the manifest which is put aside, once it is', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0', '--bump-revision', 'manifests.stopped-for-restore');
    expect(await run('restore')).toMatchObject({ code: 0 });
    expect((await told())[0]).toContain('etcdutl');
  });

  test('is restored after a try that was killed with the image mounted', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0', '--bump-revision');
    await write('mounted', '');
    await write('run/labwright-etcd-image/usr/local/bin/etcdutl', '');
    expect(await run('restore')).toMatchObject({ code: 0 });
    expect(await isMounted()).toBe(false);
  });

  test('that does not restore leaves the data as it was, and nothing mounted', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0');
    await program('images/registry.k8s.io/etcd:3.6.6-0/usr/local/bin/etcdutl', 'echo the snapshot is damaged; exit 4');
    expect(await run('restore')).toEqual({ code: 4, lines: [expect.any(String), 'the snapshot is damaged'] });
    expect(await data()).toBe('old\n');
    expect(await isMounted()).toBe(false);
  });
});

describe('nothing is stopped and nothing restored by an older program', { timeout: 60_000 }, () => {
  test('where the image has no etcdutl', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0');
    const why =
      'etcdutl has to come out of the image of etcd, and registry.k8s.io/etcd:3.6.6-0 has no /usr/local/bin/etcdutl';
    expect(await run('look')).toEqual({ code: 1, lines: [why] });
    expect(await run('restore')).toMatchObject({ code: 1, lines: expect.arrayContaining([why]) });
    expect(await told()).toEqual([]);
    expect(await data()).toBe('old\n');
    expect(await isMounted()).toBe(false);
  });

  test('where the image is not there', async () => {
    await runsEtcd('registry.k8s.io/etcd:3.6.6-0');
    await rm(join(folder, 'images'), { recursive: true });
    expect(await run('look')).toEqual({
      code: 1,
      lines: [
        'registry.k8s.io/etcd:3.6.6-0: not found',
        'etcdutl has to come out of the image of etcd, and registry.k8s.io/etcd:3.6.6-0 cannot be mounted',
      ],
    });
  });

  test('where no etcd is set up', async () => {
    await write('var/lib/labwright/cluster/member', '');
    const manifest = `${folder}/etc/kubernetes/manifests/etcd.yaml`;
    expect(await run('look')).toEqual({
      code: 1,
      lines: [`it cannot be seen which etcd runs here: ${manifest} names no image`],
    });
  });
});

async function write(path: string, content: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

async function program(path: string, text: string): Promise<void> {
  await chmod(await write(path, `#!/bin/sh\n${text}\n`), 0o755);
}

/** By its static pod, whose image has an etcdutl when `help` says what that one knows. */
async function runsEtcd(image: string, help?: string, manifests = 'manifests'): Promise<void> {
  const lines = ['spec:', '  containers:', '  - command:', '    - etcd', `    image: ${image}`, '    name: etcd', ''];
  await write(`etc/kubernetes/${manifests}/etcd.yaml`, lines.join('\n'));
  await write(`images/${image}/usr/local/bin/etcd`, '');
  if (help === undefined) return;
  const known = `case "$*" in *--help) echo '  ${help} uint'; exit ;; esac`;
  await program(`images/${image}/usr/local/bin/etcdutl`, `${known}\necho "etcdutl $*" >> ${folder}/told\n${restores}`);
}

async function run(act: 'look' | 'restore'): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const ours = script.replaceAll(/(?<==)\/(?=etc\/|var\/|run\/)/g, `${folder}/`);
  const settings = Object.entries({ act, snapshot, ...order }).map(([key, value]) => `${key}='${value}'`);
  const text = ['say() { echo "[labwright] $*"; }', ...settings, ours].join('\n');
  const options = { cwd: join(folder, 'run/job'), env: { PATH: `${folder}/bin:${process.env['PATH'] ?? ''}` } };
  return await new Promise((resolve, reject) => {
    execFile('sh', ['-c', text], options, (error, stdout) => {
      if (error !== null && typeof error.code !== 'number') return reject(error);
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, lines: stdout.split('\n').filter(Boolean) });
    });
  });
}

async function told(): Promise<readonly string[]> {
  if (!(await readdir(folder)).includes('told')) return [];
  const lines = (await readFile(join(folder, 'told'), 'utf8')).trim().split('\n');
  return lines.map((line) => line.replaceAll(folder, 'FOLDER'));
}

const data = async (): Promise<string> => await readFile(join(folder, 'var/lib/etcd/db'), 'utf8');

async function isMounted(): Promise<boolean> {
  return await stat(join(folder, 'mounted')).then(
    () => true,
    () => false,
  );
}
