import { describe, expect, test } from 'vitest';
import { hostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { podKind, type Pod } from '@labwright/drivers/kubernetes/kind';
import type { Shell } from '../formation/shell.ts';
import { formatLeftWatchers, restartWatchers, type Watchers } from './restart-watchers.ts';

const signal = new AbortController().signal;
const workers = ['node102', 'node103', 'node104'].map(hostName);

function makePod(namespace: string, name: string, owner?: string): Pod {
  const ownerReferences =
    owner === undefined ? [] : [{ apiVersion: 'v1', kind: owner, name: 'o', uid: 'o', controller: true }];
  const metadata = { name, namespace, uid: `uid of ${name}`, resourceVersion: '1', ownerReferences };
  return podKind.parse({ apiVersion: 'v1', kind: 'Pod', metadata, spec: {} });
}

const pods = [
  makePod('kube-system', 'kube-proxy-1', 'DaemonSet'),
  makePod('kube-system', 'coredns-1', 'ReplicaSet'),
  makePod('kube-system', 'etcd-node101', 'Node'),
  makePod('kube-system', 'by-hand'),
  makePod('kube-flannel', 'flannel-1', 'DaemonSet'),
  makePod('default', 'web-1', 'ReplicaSet'),
];

function makeWorld(shells: Readonly<Record<string, Shell>>) {
  const removed: string[] = [];
  const connection = {
    list: async (_kind: unknown, { namespace }: { readonly namespace?: string }) =>
      pods.filter(({ metadata }) => metadata.namespace === namespace),
    delete: async (_kind: unknown, { name }: { readonly name: string }, { uid }: { readonly uid?: string }) => {
      expect(uid).toBe(`uid of ${name}`);
      removed.push(name);
      if (name === 'coredns-1') throw new LabwrightError('LW6005', { what: 'it is another pod by now' });
      return 'deleted' as const;
    },
  };
  const restarted: string[] = [];
  const world: Watchers = {
    workers,
    openShell: (name) => async (command, call) => {
      restarted.push(`${name} ${command.join(' ')}`);
      return (await shells[name]?.(command, call)) ?? { exitCode: 0, stdout: '', stderr: '' };
    },
    connect: async () => connection as unknown as Awaited<ReturnType<Watchers['connect']>>,
  };
  return { world, removed, restarted };
}

const off: Shell = async () => {
  throw new LabwrightError('LW3003', { what: 'node103 does not answer', why: 'nothing came within 120 s' });
};

describe('what watched before a restore', () => {
  test('is started again on every machine, and its pods are removed wherever something makes them again', async () => {
    const { world, removed, restarted } = makeWorld({});
    expect(await restartWatchers(world, signal)).toEqual([]);
    expect(restarted).toEqual(workers.map((name) => `${name} sudo systemctl restart kubelet.service`));
    expect(removed).toEqual(['kube-proxy-1', 'coredns-1', 'flannel-1']);
  });

  test('is told of where the machine does not answer or its kubelet does not start, and the pods go all the same', async () => {
    const broken: Shell = async () => ({ exitCode: 1, stdout: '', stderr: 'Job for kubelet.service failed.\n' });
    const { world, removed } = makeWorld({ node103: off, node104: broken });
    const left = await restartWatchers(world, signal);
    expect(left).toEqual([
      { name: 'node103', why: 'nothing came within 120 s' },
      { name: 'node104', why: 'Job for kubelet.service failed.' },
    ]);
    expect(removed).toHaveLength(3);
    expect(formatLeftWatchers(left)).toMatch(/^node103 \(nothing came within 120 s\), node104 \(.*labwright up/);
  });

  test('is not passed over when the run itself was ended, or for a mistake of ours', async () => {
    const ended = AbortSignal.abort(new Error('ended'));
    await expect(restartWatchers(makeWorld({ node103: off }).world, ended)).rejects.toThrow('ended');
    const mistake: Shell = async () => {
      throw new Error('a mistake');
    };
    await expect(restartWatchers(makeWorld({ node103: mistake }).world, signal)).rejects.toThrow('a mistake');
  });
});
