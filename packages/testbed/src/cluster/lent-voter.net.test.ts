// A control plane whose member of etcd was added and never started, on a real etcd: nothing is decided until the member was lent a
// moment of life on its machine and taken out. Of the machine, systemd and containerd are played.
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { labId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { addMember, checkDecides, fetchMembers } from '@labwright/cluster/etcd/etcd-client';
import { findPendingVoter, lentName } from '@labwright/cluster/etcd/pending-voter';
import type { FormationOptions } from '@labwright/cluster/formation/formation-options';
import { takePendingVoterOut } from '@labwright/cluster/formation/lent-voter';
import { makeClusterPki, type ClusterPki } from '@labwright/cluster/pki/pki';
import { makeMember, makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findPrograms } from '../kubernetes/binaries.ts';
import { startEtcd, type EtcdProcesses } from './etcd-processes.ts';
import { makeStandInMachine, type StandInMachine } from './stand-in-machine.ts';

const found = await findPrograms();
const { signal } = new AbortController();
const limits = { signal, timeoutMs: 3_000 };
const slow = { timeout: 120_000 };
const manifests = '/etc/kubernetes/manifests';

describe.skipIf(found.kind === 'missing')('a member that was added and never started', () => {
  let etcd: EtcdProcesses;
  let machine: StandInMachine;
  let pki: ClusterPki;
  let options: FormationOptions;
  const words: string[] = [];
  const context = { signal, progress: (each: string) => void words.push(each) };
  const unused = (): never => {
    throw new Error('nothing of this is needed here');
  };

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    pki = await makeClusterPki(labId('home+rehearsal'), Date.now());
    const { certificate, privateKey } = pki.etcdCa;
    etcd = await startEtcd(found.programs, ['node101'], { certificate, key: privateKey.reveal() });
    // What is mounted of an image is its one program that is wanted.
    const ctr = `
for last; do :; done
case "$*" in
  *'images list'*) echo registry.example.org/pause:3.2; echo registry.example.org/etcd:3.4.13-0 ;;
  *'images mount'*) mkdir -p "$last/usr/local/bin"; ln -s ${found.programs.etcd} "$last/usr/local/bin/etcd" ;;
  *'images unmount'*) rm -rf "$last" ;;
esac`;
    machine = await makeStandInMachine({ ctr });
    const cluster = makeSampleCluster('1.20.3');
    const members = [makeMember(101, 'control-plane'), makeMember(102, 'control-plane')];
    const here = members.map((each) => ({ ...each, address: ipv4('127.0.0.1') }));
    options = {
      blueprint: makeSampleBlueprint(cluster, here),
      cluster,
      vault: { file: '', read: unused, readOrMake: unused, assertUsable: unused },
      openShell: () => machine.shell,
      connect: unused,
      openEtcd: async () => etcd.group(),
      dns: unused,
      ensureResolver: unused,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    };
  });
  afterAll(async () => {
    await machine?.close();
    await etcd?.close();
  });
  beforeEach(async () => {
    words.length = 0;
    await rm(manifests, { recursive: true, force: true });
  });

  const first = () => etcd.peer('node101');
  const addUnstarted = async (): Promise<void> => {
    await etcd.prepare('node102');
    await addMember(first(), { peerUrl: etcd.peerUrl('node102'), as: 'voter' }, limits);
    await expect(checkDecides(first(), { signal, timeoutMs: 8_000 })).rejects.toThrow(LabwrightError);
  };

  test('is none while the group decides', slow, async () => {
    expect(await findPendingVoter(etcd.group(), limits)).toBeUndefined();
    expect(await takePendingVoterOut(options, pki, context)).toBe(false);
  });

  test('is started for a moment and taken out, and the others decide again', slow, async () => {
    await addUnstarted();
    const others = [`node101=${etcd.peerUrl('node101')}`];
    expect(await findPendingVoter(etcd.group(), limits)).toEqual({
      peerUrl: etcd.peerUrl('node102'),
      others,
      runs: false,
    });
    // The kubelet is about to start it.
    await mkdir(manifests, { recursive: true });
    await writeFile(`${manifests}/etcd.yaml`, '');
    expect(await takePendingVoterOut(options, pki, context)).toBe(false);
    expect(await fetchMembers(first(), limits)).toHaveLength(2);

    // That was two minutes ago, and the run of kubeadm that told it has ended badly.
    const marks = '/var/lib/labwright/cluster';
    await mkdir(marks, { recursive: true });
    await writeFile(`${marks}/begun`, '');
    expect(await takePendingVoterOut(options, pki, context)).toBe(false);
    const before = Date.now() / 1000 - 200;
    await utimes(`${manifests}/etcd.yaml`, before, before);
    expect(await takePendingVoterOut(options, pki, context)).toBe(true);
    expect(await machine.told()).toBe('stop kubelet.service\n');
    expect(words).toContain('etcd: node102 starts its member of etcd for a moment');
    expect(await fetchMembers(first(), limits)).toHaveLength(1);
    await checkDecides(first(), limits);
    await expect(rm('/var/lib/labwright/voter', { recursive: true })).rejects.toThrow('ENOENT');
    await expect(rm('/run/labwright-voter/files', { recursive: true })).rejects.toThrow('ENOENT');
  });

  test('by two at once, and after one that was killed when the member ran', slow, async () => {
    etcd.forget('node102');
    await addUnstarted();
    const killed = takePendingVoterOut(options, pki, context).catch((error: unknown) => error);
    const told = async (): Promise<number | undefined> =>
      (await fetchMembers(first(), limits)).find(({ name }) => name === lentName('node102'))?.clientUrls.length;
    await expect.poll(told, { timeout: 60_000, interval: 20 }).toBe(1);
    await machine.killUnit();
    expect(await killed).toMatchObject({ code: 'LW6036' });
    expect(await fetchMembers(first(), limits)).toHaveLength(2);

    const both = [takePendingVoterOut(options, pki, context), takePendingVoterOut(options, pki, context)];
    expect(await Promise.all(both)).toContain(true);
    expect(await fetchMembers(first(), limits)).toHaveLength(1);
    await checkDecides(first(), limits);
  });

  test('whose lender was cut off is taken out by whoever comes next', slow, async () => {
    etcd.forget('node102');
    await addUnstarted();
    const gone = new AbortController();
    const left = takePendingVoterOut(options, pki, { ...context, signal: gone.signal }).catch(() => 'gone');
    const told = async (): Promise<number | undefined> =>
      (await fetchMembers(first(), limits)).find(({ name }) => name === lentName('node102'))?.clientUrls.length;
    await expect.poll(told, { timeout: 60_000, interval: 20 }).toBe(1);
    gone.abort(new Error('the client is gone'));
    expect(await left).toBe('gone');
    expect(await takePendingVoterOut(options, pki, context)).toBe(true);
    expect(await fetchMembers(first(), limits)).toHaveLength(1);
    await checkDecides(first(), limits);
  });

  test('stays where another member is away, too: the rule says so, and not the end of its time', slow, async () => {
    etcd.forget('node102');
    await etcd.prepare('node103');
    await addMember(first(), { peerUrl: etcd.peerUrl('node103'), as: 'voter' }, limits);
    await etcd.start('node103');
    await etcd.prepare('node102');
    const request = { peerUrl: etcd.peerUrl('node102'), as: 'voter' } as const;
    // etcd counts the other one when it has known it for some seconds.
    await expect
      .poll(async () => await addMember(first(), request, limits).then(() => 'added', String), { timeout: 30_000 })
      .toBe('added');
    await etcd.kill('node103');
    await expect(takePendingVoterOut(options, pki, context)).rejects.toMatchObject({
      code: 'LW6033',
      why: expect.stringContaining('after it etcd would have 2 voters of which 1'),
    });
    await machine.killUnit();
  });
});
