// A run of kubeadm (or other work) on a machine, through everything that can happen to it: the real scripts on a machine of which
// only systemd and kubeadm are played.
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type JobOutcome, type KubeadmJob, runKubeadmJob } from '@labwright/cluster/formation/kubeadm-job';
import { fetchDiskState, markBegun } from '@labwright/cluster/formation/machine-disk';
import { runMachineJob, type MachineJob } from '@labwright/cluster/machine-job/machine-job';
import { systemClock } from '@labwright/core/ports/system';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { machineFolder as folder, makeStandInMachine, type StandInMachine } from './stand-in-machine.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const job: KubeadmJob = {
  kind: 'init',
  command: ['init'],
  options: ['--skip-phases=preflight,addon'],
  config: 'kind: InitConfiguration\n',
  files: [
    { path: '/etc/kubernetes/pki/ca.crt', mode: 0o644, content: 'ours\n' },
    { path: '/etc/kubernetes/pki/ca.key', mode: 0o600, content: 'secret\n' },
    { path: '/etc/kubernetes/kubelet.conf', target: '/etc/kubernetes/other.conf' },
  ],
  authority: 'ours\n',
  criSocket: '/run/containerd/containerd.sock',
};

const unstarted = 're-configuration failed due to not enough started members';
const kubeadm = `
echo "kubeadm $*" >> ${folder}/told
[ "$1" = reset ] && { rm -rf /etc/kubernetes; exit 0; }
cat kubeadm.yaml > ${folder}/config
echo '[certs] Using existing ca certificate authority'
[ -p ${folder}/gate ] && read -r _ < ${folder}/gate
[ ! -e ${folder}/deaf ] || { echo 'etcdserver: ${unstarted}'; exec sleep 60; }
echo '[bootstrap-token] Configuring'
[ ! -e ${folder}/broken ] || { echo 'error execution phase wait-control-plane: timed out'; exit 1; }`;

describe('a run of kubeadm', () => {
  let machine: StandInMachine;
  beforeAll(async () => {
    machine = await makeStandInMachine({ kubeadm, ip: 'exit 1' });
  });
  afterAll(async () => await machine?.close());
  beforeEach(async () => {
    const runs = ['/run/labwright-kubeadm', '/run/labwright-fetch'];
    for (const path of ['/etc/kubernetes', '/var/lib/labwright', ...runs]) {
      await rm(path, { recursive: true, force: true });
    }
    for (const name of ['unit', 'told', 'gate', 'broken', 'deaf', 'config'])
      await rm(join(folder, name), { force: true });
  });
  afterEach(() => machine.cutConnections());

  const start = async (
    changes: Partial<KubeadmJob> = {},
    progress: (words: string) => void = () => undefined,
  ): Promise<JobOutcome> =>
    await runKubeadmJob(
      machine.shell,
      { ...job, ...changes },
      { clock: systemClock, signal, progress, patienceMs: 20_000, timeoutMs: 60_000 },
    );
  const state = async (authority = job.authority) =>
    await fetchDiskState(machine.shell, authority, { timeoutMs: 10_000, signal });
  const told = async (): Promise<string> => await machine.told();
  const gate = async (): Promise<() => Promise<void>> => {
    await run('mkfifo', [join(folder, 'gate')]);
    return async () => await writeFile(join(folder, 'gate'), 'on\n');
  };

  test('puts the files in place, runs, and leaves a member behind and no token', async () => {
    const words: string[] = [];
    expect(await state()).toBe('blank');
    expect(await start({}, (each) => words.push(each))).toEqual({ kind: 'done' });
    expect(await state()).toBe('member');
    expect(words).toEqual(['kubeadm: certificates', 'kubeadm: rules for joining']);
    expect(await told()).toContain('kubeadm init --config kubeadm.yaml --skip-phases=preflight,addon\n');
    expect(await readFile(join(folder, 'config'), 'utf8')).toBe(job.config);
    expect(await readFile('/etc/kubernetes/pki/ca.key', 'utf8')).toBe('secret\n');
    const { stdout } = await run('stat', [
      '-c',
      '%a %U %N',
      '/etc',
      '/etc/kubernetes/pki/ca.key',
      '/etc/kubernetes/kubelet.conf',
    ]);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^755 root/),
      expect.stringMatching(/^600 root/),
      expect.stringContaining("-> '/etc/kubernetes/other.conf'"),
      '',
    ]);
    // Its configuration with the token, and the files with the keys.
    await expect(readdir('/run/labwright-kubeadm/files')).rejects.toThrow('ENOENT');
  });

  test('a second time does nothing, and a join wakes the kubelet up', async () => {
    await start();
    const before = await told();
    expect(await start()).toEqual({ kind: 'member' });
    expect(await told()).toBe(before);
    expect(await start({ kind: 'join' })).toEqual({ kind: 'member' });
    expect(await told()).toBe(`${before}restart kubelet.service\n`);
  });

  test('a failure gives the last lines; the next try undoes what is half done first', async () => {
    await writeFile(join(folder, 'broken'), '');
    expect(await start()).toMatchObject({
      kind: 'failed',
      exitCode: 1,
      log: expect.arrayContaining(['error execution phase wait-control-plane: timed out']),
    });
    expect(await state()).toBe('begun');
    await rm(join(folder, 'broken'));
    expect(await start()).toEqual({ kind: 'done' });
    const words = (await told()).split('\n').filter((line) => line.startsWith('kubeadm'));
    expect(words.map((line) => line.split(' ')[1])).toEqual(['init', 'reset', 'init']);
    expect(await readFile('/etc/kubernetes/pki/ca.crt', 'utf8')).toBe('ours\n');
  });

  test('that etcd took in and did not tell is ended at once, and not after minutes; what it said before does not count', async () => {
    await writeFile(join(folder, 'deaf'), '');
    const startedAt = Date.now();
    expect(await start({ kind: 'join' })).toMatchObject({
      kind: 'failed',
      log: expect.arrayContaining([`error execution phase control-plane-join/etcd: ${unstarted}`]),
    });
    expect(Date.now() - startedAt).toBeLessThan(30_000);
    expect(await state()).toBe('begun');
    await rm(join(folder, 'deaf'));
    expect(await start({ kind: 'join' })).toEqual({ kind: 'done' });
  });

  test('a machine of another cluster is not touched', async () => {
    await mkdir('/etc/kubernetes/pki', { recursive: true });
    await writeFile('/etc/kubernetes/pki/ca.crt', 'theirs\n');
    expect(await state()).toBe('foreign');
    expect(await start()).toEqual({ kind: 'refused', state: 'foreign' });
    expect(await readFile('/etc/kubernetes/pki/ca.crt', 'utf8')).toBe('theirs\n');
    expect(await told()).toBe('');
  });

  test('add-ons are put in from a member only, any number of times', async () => {
    const addons = { kind: 'addons', command: ['init', 'phase', 'addon', 'all'], options: [], files: [] } as const;
    expect(await start(addons)).toEqual({ kind: 'refused', state: 'blank' });
    await start();
    expect([await start(addons), await start(addons)]).toEqual([{ kind: 'done' }, { kind: 'done' }]);
    expect(await state()).toBe('member');
  });

  test('an init that was cut off when all ran is finished with the add-ons; a join is not', async () => {
    const addons = { kind: 'addons', command: ['init', 'phase', 'addon', 'all'], options: [], files: [] } as const;
    await writeFile(join(folder, 'broken'), '');
    await start();
    await rm(join(folder, 'broken'));
    const before = (await told()).length;
    expect(await start(addons)).toEqual({ kind: 'done' });
    const words = (await told())
      .slice(before)
      .split('\n')
      .filter((line) => line.startsWith('kubeadm'));
    expect(words.map((line) => line.replace(' --config kubeadm.yaml', '').trim())).toEqual([
      'kubeadm init phase upload-config all',
      'kubeadm init phase mark-control-plane',
      'kubeadm init phase bootstrap-token',
      'kubeadm init phase addon all',
    ]);
    expect(await state()).toBe('member');

    await markBegun(machine.shell, { timeoutMs: 10_000, signal });
    expect(await state()).toBe('begun');
    expect(await start(addons)).toEqual({ kind: 'refused', state: 'begun' });
  });

  test('says that it is busy while it runs', async () => {
    const open = await gate();
    const words: string[] = [];
    const outcome = start({}, (each) => words.push(each));
    await expect.poll(() => words).toContain('kubeadm: certificates');
    expect(await state()).toBe('busy');
    await open();
    await outcome;
    expect(await state()).toBe('member');
  });

  test('a lost connection ends nothing: the same run is followed again from its beginning', async () => {
    const open = await gate();
    const words: string[] = [];
    const outcome = start({}, (each) => words.push(each));
    await expect.poll(() => words).toContain('kubeadm: certificates');
    machine.cutConnections();
    await expect.poll(() => words).toContain('the connection is lost; kubeadm goes on without it');
    await expect
      .poll(() => words.filter((each) => each === 'kubeadm: certificates').length, { timeout: 10_000 })
      .toBe(2);
    await open();
    expect(await outcome).toEqual({ kind: 'done' });
    expect((await told()).match(/kubeadm init/g)).toHaveLength(1);
  });

  test('whoever comes second follows the first one’s run', async () => {
    const open = await gate();
    const [words, others]: [string[], string[]] = [[], []];
    const first = start({}, (each) => words.push(each));
    await expect.poll(() => words).toContain('kubeadm: certificates');
    const second = start({}, (each) => others.push(each));
    await expect.poll(() => others).toContain('kubeadm: certificates');
    await open();
    expect([await first, await second]).toEqual([{ kind: 'done' }, { kind: 'done' }]);
    expect((await told()).match(/kubeadm init/g)).toHaveLength(1);
  });

  test('a power cut in the middle: what is there counts for nothing', async () => {
    await gate();
    const words: string[] = [];
    const outcome = start({}, (each) => words.push(each));
    await expect.poll(() => words).toContain('kubeadm: certificates');
    await machine.killUnit();
    expect(await outcome).toMatchObject({ kind: 'killed' });
    expect(await state()).toBe('begun');
    await rm(join(folder, 'gate'));
    expect(await start()).toEqual({ kind: 'done' });
    expect(await told()).toContain('kubeadm reset --force --cri-socket /run/containerd/containerd.sock');
  });

  test('other work has the same frame: its settings, its files, which go, and its last lines', async () => {
    const work: MachineJob = {
      unit: 'labwright-fetch',
      description: 'Labwright: fetch',
      script: 'say "fetches $version"; cat files/of/it; stat -c "%a %U" files/of/it; exit "$code"',
      settings: { version: "it's 1.20.3", code: '0' },
      files: [{ path: 'of/it', mode: 0o600, content: 'a file\n' }],
    };
    const words: string[] = [];
    const options = { clock: systemClock, signal, patienceMs: 20_000, timeoutMs: 60_000 };
    const progress = (each: string): void => void words.push(each);
    const log = await runMachineJob(machine.shell, 'node101', work, { ...options, progress });
    expect(log).toEqual(["[labwright] fetches it's 1.20.3", 'a file', '600 root']);
    expect(words).toEqual(["fetches it's 1.20.3"]);
    await expect(readdir('/run/labwright-fetch/files')).rejects.toThrow('ENOENT');
    const fails = { ...work, settings: { ...work.settings, code: '3' } };
    await expect(runMachineJob(machine.shell, 'node101', fails, { ...options, progress })).rejects.toMatchObject({
      code: 'LW6036',
      why: 'it ended with exit code 3',
    });
  });
});
