// The steps that grow a cluster, and what is seen of it, against a real API server. Machines are played: their kubelets by fake
// nodes, their shells by what kubeadm would say there.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { planCluster } from '@labwright/cluster/formation/cluster-plan';
import { makeFormationExecutors } from '@labwright/cluster/formation/executors';
import type { FormationOptions } from '@labwright/cluster/formation/formation-options';
import { makeJoinJob } from '@labwright/cluster/formation/kubeadm-jobs';
import { keepLogin, type LoginKeeper } from '@labwright/cluster/formation/login-keeper';
import { nodeLabels } from '@labwright/cluster/formation/marks';
import { observeCluster } from '@labwright/cluster/formation/observe';
import { makeBlueprint, cluster as sample, lab } from '@labwright/cluster/formation/sample-cluster.test-data';
import type { OpenShell, ShellCall } from '@labwright/cluster/formation/shell';
import type { ClusterPki } from '@labwright/cluster/pki/pki';
import { openPkiVault, type PkiVault } from '@labwright/cluster/pki/pki-vault';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName } from '@labwright/core/addresses/names';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import {
  applyBootstrapToken,
  formatBootstrapToken,
  makeBootstrapToken,
} from '@labwright/drivers/kubernetes/bootstrap-token';
import { deleteNode, getNode } from '@labwright/drivers/kubernetes/nodes';
import { secretKind } from '@labwright/drivers/kubernetes/kind';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { fakeNode, type FakeNode } from '../kubernetes/fake-node.ts';

const exec = promisify(execFile);
const found = await findPrograms();
const { signal } = new AbortController();
const quiet = { signal, progress: () => undefined };

describe.skipIf(found.kind === 'missing')('a cluster', () => {
  let directory: string;
  let plane: ControlPlane;
  let vault: PkiVault;
  let pki: ClusterPki;
  let login: LoginKeeper;
  let options: FormationOptions;
  const nodes: FakeNode[] = [];
  /** What a machine answers to a command; a test sets it. */
  let answer: (name: string, command: readonly string[], call: ShellCall) => Promise<string>;
  const openShell: OpenShell = (name) => async (command, call) => {
    const stdout = await answer(name, command, call);
    call.onStdout?.(Buffer.from(stdout));
    return { exitCode: 0, stdout, stderr: '' };
  };
  const isLook = (command: readonly string[]): boolean => command.at(-1) === '-s';

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    directory = await mkdtemp(join(tmpdir(), 'labwright-formation-'));
    const identity = { kind: 'file', path: join(directory, 'identity'), isMadeWhenMissing: true } as const;
    const place = { lab, file: join(directory, 'keys.age'), identity, alsoOpened: [] };
    vault = openPkiVault(place, systemClock);
    pki = await vault.readOrMake(signal);
    plane = await startControlPlane({
      programs: found.programs,
      authority: { certificate: pki.ca.certificate, key: pki.ca.privateKey.reveal() },
      names: [sample.endpoint.name],
    });
    const [address = '', port = ''] = plane.connection.endpoint.split(':');
    const cluster = { ...sample, endpoint: { ...sample.endpoint, address: ipv4(address), port: Number(port) } };
    const blueprint = { ...makeBlueprint(['control-plane', 'worker', 'worker']), cluster };
    login = keepLogin(cluster, { clock: systemClock, log: silentLog });
    options = {
      blueprint,
      cluster,
      vault,
      openShell,
      connect: async (keys) => await login.connect(keys),
      openEtcd: async () => ({ addresses: [] }),
      dns: async () => 'coredns',
      ensureResolver: async () => [],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    };
    nodes.push(await addNode('node101', 'control-plane'), await addNode('node102', 'worker'));
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await login?.close();
    await plane?.stop();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    answer = async () => 'blank\n';
    // Of the test before; the ones that have a kubelet stay.
    await deleteNode(plane.connection, 'node103', { signal });
  });
  const getFresh = async () => await getNode(plane.connection, 'node103', { signal });

  async function addNode(name: string, role: 'control-plane' | 'worker'): Promise<FakeNode> {
    const mark = role === 'control-plane' ? { 'node-role.kubernetes.io/control-plane': '' } : {};
    return await fakeNode(plane.connection, name, { labels: { ...nodeLabels(lab, role), ...mark } });
  }

  const observe = async (own: Partial<Parameters<typeof observeCluster>[0]> = {}): Promise<ClusterFacts> =>
    await observeCluster({
      ...options,
      connect: options.connect,
      reachable: new Set(['node101', 'node102', 'node103'].map(hostName)),
      signal,
      ...own,
    });
  const run = async (kind: string, input: Record<string, string>): Promise<string> => {
    const executor = makeFormationExecutors(options).get(kind);
    if (executor === undefined) throw new Error(`there is an executor for ${kind}`);
    return await executor.run(input, quiet);
  };
  const listTokens = async (): Promise<readonly string[]> => {
    const secrets = await plane.connection.list(secretKind, { namespace: 'kube-system' }, { signal });
    return secrets.filter(({ type }) => type === 'bootstrap.kubernetes.io/token').map(({ metadata }) => metadata.name);
  };

  test('is seen by its API, and what has no ready node by its disk', async () => {
    const facts = await observe();
    expect(facts).toMatchObject({
      kind: 'answers',
      version: '1.20.2',
      nodes: [
        { name: 'node101', role: 'control-plane', ready: 'ready', kubelet: '1.20.2', schedulable: true, ours: true },
        { name: 'node102', role: 'worker', ready: 'ready', ours: true },
      ],
      // Of control planes also when their node is ready, until one said that it is a member.
      disks: [
        { name: 'node101', state: 'blank' },
        { name: 'node103', state: 'blank' },
      ],
    });
  });

  test('whose API nobody has at that address is silent, and says why', async () => {
    const elsewhere = { ...sample, endpoint: { ...sample.endpoint, address: ipv4('127.0.0.1'), port: 1 } };
    const other = keepLogin(elsewhere, { clock: systemClock, log: silentLog });
    try {
      const facts = await observe({ connect: async (keys) => await other.connect(keys) });
      expect(facts).toMatchObject({
        kind: 'silent',
        disks: [{ state: 'blank' }, { state: 'blank' }, { state: 'blank' }],
      });
      expect(facts.kind === 'silent' ? facts.why : '').toContain('ECONNREFUSED 127.0.0.1:1');
    } finally {
      await other.close();
    }
  });

  test('takes a machine with a token of its own, which is gone afterwards', async () => {
    let during: readonly string[] = [];
    answer = async (_name, command) => {
      if (isLook(command)) return 'blank\n';
      during = await listTokens();
      return '[kubelet-start] Starting the kubelet\nlabwright: ended 0\n';
    };
    expect(await run('cluster.join', { name: 'node103' })).toMatch(/^joined in \d+ s$/);
    expect(during).toHaveLength(1);
    expect(await listTokens()).toEqual([]);
    // Its kubelet makes the node, and nobody before it.
    expect(await getFresh()).toBeUndefined();
  });

  test('a machine of another version than the control planes does not join, and leaves no token', async () => {
    const cluster = { ...options.cluster, version: kubernetesVersion('1.20.3') };
    const executor = makeFormationExecutors({ ...options, cluster }).get('cluster.join');
    await expect(executor?.run({ name: 'node103' }, quiet)).rejects.toMatchObject({
      code: 'LW6035',
      where: { machine: 'node103' },
    });
    expect(await listTokens()).toEqual([]);
  });

  test('a join that fails says where it stopped, with the last lines of the kubelet, and leaves no token', async () => {
    answer = async (_name, command) => {
      if (command.includes('journalctl')) return 'kubelet: x509: certificate has expired\n';
      return '[preflight] Running\n[kubelet-start] Waiting\nerror execution phase kubelet-start: timed out\nlabwright: ended 1\n';
    };
    const failed = run('cluster.join', { name: 'node103' });
    await expect(failed).rejects.toMatchObject({
      code: 'LW6012',
      where: { machine: 'node103', 'stopped at': 'kubeadm: starts the kubelet' },
      why: 'error execution phase kubelet-start: timed out',
    });
    const error = await failed.catch((thrown: unknown) => thrown);
    expect(error instanceof LabwrightError ? error.log : []).toContain('kubelet: x509: certificate has expired');
    expect(await listTokens()).toEqual([]);
  });

  test('a machine that comes back with a new disk takes its name again: the former node goes', async () => {
    const former = await addNode('node103', 'worker');
    await former.stop();
    const before = await getFresh();
    answer = async (_name, command) => (isLook(command) ? 'blank\n' : 'labwright: ended 0\n');
    await run('cluster.join', { name: 'node103' });
    expect([before?.metadata.name, await getFresh()]).toEqual(['node103', undefined]);
  });

  test('a join that ended for want of an answer is begun again, without the node that it had made', async () => {
    const seen: (string | undefined)[] = [];
    let isBegun = false;
    answer = async (_name, command) => {
      if (isLook(command)) return isBegun ? 'begun\n' : 'blank\n';
      seen.push((await getFresh())?.metadata.name);
      if (isBegun) return 'labwright: ended 0\n';
      isBegun = true;
      const kubelet = await addNode('node103', 'worker');
      await kubelet.stop();
      seen.push((await getFresh())?.metadata.name);
      const slow = 'error uploading crisocket: error patching node "node103" through apiserver: Patch "…": ';
      return `error execution phase kubelet-start: ${slow}net/http: request canceled (Client.Timeout exceeded while awaiting headers)\nlabwright: ended 1\n`;
    };
    expect(await run('cluster.join', { name: 'node103' })).toMatch(/^joined in \d+ s$/);
    expect(seen).toEqual([undefined, 'node103', undefined]);
    expect(await listTokens()).toEqual([]);
  });

  test.each([
    'unable to fetch the kubeadm-config ConfigMap: failed to get config map: Get "…": http2: client connection lost',
    'etcdserver: request timed out',
    'etcdserver: re-configuration failed due to not enough started members',
    'error creating local etcd static pod manifest file: etcdserver: Peer URLs already exists',
  ])('a join that met a cluster with too little time is begun again: %s', async (said) => {
    const endings = [`error execution phase control-plane-join/etcd: ${said}\nlabwright: ended 1\n`];
    answer = async (_name, command) => (isLook(command) ? 'begun\n' : (endings.shift() ?? 'labwright: ended 0\n'));
    expect(await run('cluster.join', { name: 'node103' })).toMatch(/^joined in \d+ s$/);
    expect(endings).toEqual([]);
  });

  test('gets our objects once, and needs nothing then', async () => {
    const before = planCluster(options.blueprint, { facts: await observe(), keys: { kind: 'usable' }, others: [] });
    expect(before.steps.map(({ id }) => id)).toContain('cluster.settle cluster');
    // The API server of a cluster that has just been formed may be too slow for kubeadm's ten seconds.
    const slow =
      'error execution phase addon/kube-proxy: unable to create daemonset: Post "…": context deadline exceeded';
    const endings = [`${slow}\nlabwright: ended 1\n`, `${slow}\nlabwright: ended 1\n`];
    answer = async (_name, command) =>
      isLook(command)
        ? 'member\n'
        : (endings.shift() ?? '[addons] Applied essential addon: kube-proxy\nlabwright: ended 0\n');
    await run('cluster.settle', { name: 'node101' });
    expect(endings).toEqual([]);
    await run('cluster.settle', { name: 'node101' });
    nodes.push(await addNode('node103', 'worker'));
    const after = planCluster(options.blueprint, { facts: await observe(), keys: { kind: 'usable' }, others: [] });
    expect(after).toEqual({ steps: [], problems: [], notes: [] });
    const can = async (user: string, group: string, ...what: readonly string[]): Promise<string> =>
      (await plane.kubectl(['auth', 'can-i', ...what, '--as', user, '--as-group', group]).catch(() => 'no')).trim();
    expect(await can('system:node:node101', 'system:nodes', 'watch', 'nodes')).toBe('yes');
    expect(await can('labwright-admin', 'labwright:admins', '*', '*')).toBe('yes');
    expect(await can('somebody', 'others', 'list', 'nodes')).toBe('no');
  });

  test('is recognised by the real kubeadm of a machine that joins, with our file and token', async () => {
    if (found.kind === 'missing') return;
    // As guest/kubeadm.sh has it, with /etc and /var/lib covered for this test alone.
    const covered = ['/etc', '/var/lib'];
    for (const path of covered) {
      const [upper, work] = [join('/run/joining', `upper${path}`), join('/run/joining', `work${path}`)];
      for (const each of [upper, work]) await mkdir(each, { recursive: true });
      await exec('mount', [
        '-t',
        'overlay',
        'overlay',
        '-o',
        `lowerdir=${path},upperdir=${upper},workdir=${work}`,
        path,
      ]);
    }
    try {
      const machine = options.blueprint.machines[1];
      if (machine === undefined) throw new Error('the sample has a worker');
      const token = makeBootstrapToken(systemRandom);
      const terms = { expiresAt: Date.now() + 60_000, description: 'for a test' };
      await applyBootstrapToken(plane.connection, token, terms, { signal });
      const world = { blueprint: options.blueprint, cluster: options.cluster, pki, now: Date.now() };
      const job = await makeJoinJob(world, machine, formatBootstrapToken(token));
      for (const file of job.files) {
        if (!('content' in file)) continue;
        await mkdir(dirname(file.path), { recursive: true });
        await writeFile(file.path, file.content, { mode: file.mode });
      }
      const config = join(directory, 'join.yaml');
      await writeFile(config, job.config);
      const said = await exec(found.programs.kubernetes.kubeadm, ['join', '--config', config, ...job.options], {
        timeout: 30_000,
      }).catch((error: unknown) => String(error));
      // This API server was not set up by kubeadm, so that is how far it comes: it knows the cluster and its login is good, and
      // then it misses (or may not read) kubeadm's own configuration there.
      expect(said).toMatch(/kubeadm-config/);
      expect(said).not.toMatch(/couldn't validate the identity|Unauthorized/);
    } finally {
      for (const path of covered) await exec('umount', ['-l', path]);
    }
  });

  test('a node is waited for until it is ready', async () => {
    const waiting = run('cluster.ready', { name: 'node104' });
    nodes.push(await addNode('node104', 'worker'));
    expect(await waiting).toMatch(/^ready after \d+ s$/);
  });
});
