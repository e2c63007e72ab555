// A control plane that joins under a name that the cluster knows: what etcd and the API have of it goes in the right order, with real
// etcd members and API servers. Its disk is played by what it would say.
import { ensureMemberRemoved, fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { forgetFormerSelf } from '@labwright/cluster/formation/former-self';
import type { FormationOptions } from '@labwright/cluster/formation/formation-options';
import type { ClusterPki } from '@labwright/cluster/pki/pki';
import type { DiskState } from '@labwright/core/facts/cluster';
import { systemClock } from '@labwright/core/ports/system';
import { getNode } from '@labwright/drivers/kubernetes/nodes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { makeStandInCluster, makeStandInFile, type StandInCluster } from './stand-in-cluster.ts';
import { up } from './stand-in-runs.ts';

const found = await findPrograms();
if (found.kind === 'missing') console.log(`left out: ${found.why}`);
const { signal } = new AbortController();
const file = makeStandInFile(3, 0);
const pki = { ca: { certificate: '' } } as ClusterPki;

describe.skipIf(found.kind === 'missing')('a control plane that joins once more', { timeout: 120_000 }, () => {
  let cluster: StandInCluster;
  let disk: DiskState;
  let marked: number;

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    cluster = await makeStandInCluster(found.programs, file);
    await up(cluster, file);
  }, 180_000);
  afterAll(async () => await cluster?.close());

  const forget = async (name: string, state: DiskState): Promise<readonly string[]> => {
    [disk, marked] = [state, 0];
    const words: string[] = [];
    const machine = file.machines.find((each) => each.name === name);
    if (machine === undefined) throw new Error(name);
    const options = {
      blueprint: file,
      clock: systemClock,
      openEtcd: async () => cluster.etcd.group(),
      openShell:
        () =>
        async (_, { stdin }) => {
          if (typeof stdin === 'string' && stdin.includes('rm -f "$marks/member"')) marked += 1;
          return { exitCode: 0, stdout: `${disk}\n`, stderr: '' };
        },
    } satisfies Partial<FormationOptions> as unknown as FormationOptions;
    const context = { signal, progress: (line: string) => void words.push(line) };
    await forgetFormerSelf(options, machine, cluster.connection, pki, context);
    return words;
  };
  const members = async (): Promise<readonly string[]> => {
    const facts = await fetchEtcdGroup(cluster.etcd.group(), { signal, timeoutMs: 3_000 });
    return facts.members.map(({ name }) => name).toSorted();
  };
  const hasNode = async (name: string): Promise<boolean> =>
    (await getNode(cluster.connection, name, { signal })) !== undefined;

  test('is left alone while kubeadm runs there, and while it is what it should be', async () => {
    expect(await forget('node102', 'busy')).toEqual([]);
    expect(await forget('node102', 'member')).toEqual([]);
    expect([await members(), await hasNode('node102'), marked]).toEqual([['node101', 'node102', 'node103'], true, 0]);
  });

  test('after a join that ended half way leaves etcd while it still runs, and its node goes', async () => {
    expect(await forget('node103', 'begun')).toEqual([
      'took its former member out of etcd',
      'removes the node of its former disk',
    ]);
    expect([await members(), await hasNode('node103')]).toEqual([['node101', 'node102'], false]);
    // Both voters that are left decide.
    expect(await hasNode('node101')).toBe(true);
  });

  test('that was taken out of etcd and went on counts as begun from now on', async () => {
    const limits = { signal, clock: systemClock, timeoutMs: 3_000 };
    await ensureMemberRemoved(cluster.etcd.group(), 'node102', limits);
    expect(await forget('node102', 'member')).toEqual([
      'etcd does not have it any more: it joins anew',
      'removes the node of its former disk',
    ]);
    expect([marked, await hasNode('node102')]).toEqual([1, false]);
  });

  test('and is the last voter is never taken out, whatever its disk says', async () => {
    await expect(forget('node101', 'begun')).rejects.toMatchObject({ code: 'LW6033' });
    expect([await members(), await hasNode('node101')]).toEqual([['node101'], true]);
  });
});
