// Brings etcd back to deciding when it waits for a member that was added and never started (etcd/pending-voter.ts).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureMemberRemoved, fetchEtcdGroup, type EtcdGroup } from '../etcd/etcd-group.ts';
import { findPendingVoter, lentName, type PendingVoter } from '../etcd/pending-voter.ts';
import { slowHostSettings } from '../kubeadm/slow-host.ts';
import { followJob, type FollowedJob, type JobEnd } from '../machine-job/followed-job.ts';
import { makeControlPlaneFiles } from '../pki/control-plane-files.ts';
import type { ClusterPki } from '../pki/pki.ts';
import { limits, type FormationOptions } from './formation-options.ts';
import { controlPlanesOf } from './kubeadm-jobs.ts';

/**
 * Starts the member for a moment on its own machine and takes it out. Says whether it did: a machine that is about to start
 * its member by itself is left alone. Throws LW6036 when the machine cannot, LW6033 when another member is away, too.
 */
export async function takePendingVoterOut(
  options: FormationOptions,
  pki: ClusterPki,
  context: StepContext,
): Promise<boolean> {
  const { signal } = context;
  const { clock } = options;
  const group = await options.openEtcd(pki);
  const pending = await findPendingVoter(group, { signal, timeoutMs: limits.etcdMs });
  const { machines, spares = [] } = options.blueprint;
  const place = group.addresses.find(({ peerUrl }) => peerUrl !== undefined && peerUrl === pending?.peerUrl);
  const machine = [...machines, ...spares].find(({ name }) => name === place?.name);
  if (pending === undefined || place === undefined || machine === undefined) return false;
  // Whoever lent it was cut off.
  if (pending.runs) return await remove(options, group, pending, signal);
  const over = new AbortController();
  const job = await describeJob(options, pki, machine, { ...pending, clientPort: place.port });
  const lending = followJob(options.openShell(machine.name), job, {
    clock,
    signal,
    progress: (words) => context.progress(`etcd: ${machine.name} ${words}`),
    patienceMs: limits.silenceMs,
    timeoutMs: limits.lentMs,
  });
  const removal = removeOnceItRuns(options, group, pending, lending, AbortSignal.any([signal, over.signal]));
  // Each is awaited below, unless the other one failed first.
  for (const each of [lending, removal]) each.catch(() => undefined);
  try {
    // Where the rule forbids the removal, that is what is told, and not minutes later: the member runs on until its time is up.
    // One that was killed makes the removal fail as well, and has ended by then.
    const failing = removal.then(
      async () => await lending,
      async () => await clock.sleep(limits.rangeMs, over.signal),
    );
    const end = await Promise.race([lending, failing]);
    if (end === undefined) return await removal;
    if (end.word === 'busy') return false;
    if (end.exitCode !== 0) throw notLent(machine, end);
    return await removal;
  } finally {
    over.abort(new Error('the member does not run any more'));
  }
}

/** False when it ended before it ran. */
async function removeOnceItRuns(
  options: FormationOptions,
  group: EtcdGroup,
  { peerUrl }: PendingVoter,
  lending: Promise<JobEnd>,
  signal: AbortSignal,
): Promise<boolean> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  lending.then(end, end);
  for (;;) {
    const pending = await findPendingVoter(group, { signal, timeoutMs: limits.etcdMs });
    if (pending === undefined || pending.runs) return await remove(options, group, { peerUrl }, signal);
    if (ended.signal.aborted) return false;
    await options.clock.sleep(limits.answerAgainMs, signal);
  }
}

/** By the quorum rule: both answer, so it may go. */
async function remove(
  { clock }: FormationOptions,
  group: EtcdGroup,
  { peerUrl }: Pick<PendingVoter, 'peerUrl'>,
  signal: AbortSignal,
): Promise<boolean> {
  const call = { signal, timeoutMs: limits.etcdMs };
  const { members } = await fetchEtcdGroup(group, call);
  const member = members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
  if (member === undefined) return true;
  await ensureMemberRemoved(group, member.name, { ...call, clock, patienceMs: limits.lentMs });
  return true;
}

async function describeJob(
  { blueprint, cluster, clock }: FormationOptions,
  pki: ClusterPki,
  machine: MachineBlueprint,
  { peerUrl, others, clientPort }: PendingVoter & { readonly clientPort: number },
): Promise<FollowedJob> {
  const all = await makeControlPlaneFiles(pki, cluster, machine, controlPlanesOf(blueprint), clock.now());
  const wanted = ['ca.crt', 'server.crt', 'server.key', 'peer.crt', 'peer.key'];
  const files = wanted.flatMap((name) =>
    all.filter(({ path }) => path.endsWith(`/pki/etcd/${name}`)).map((file) => ({ ...file, path: `files/${name}` })),
  );
  const timings = cluster.slow ? Object.entries(slowHostSettings.etcd).flatMap(([name, ms]) => [`--${name}`, ms]) : [];
  const name = lentName(machine.name);
  return {
    unit: 'labwright-voter',
    description: 'Labwright: the member of etcd that never started',
    work: readScript('voter.sh'),
    check: readScript('voter-check.sh'),
    settings: {
      name,
      peer: peerUrl,
      client: `https://${machine.address}:${clientPort}`,
      cluster: [...others, `${name}=${peerUrl}`].join(','),
      timings: timings.join(' '),
    },
    files,
    describe: (line) => /^\[labwright\] (.+)$/.exec(line)?.[1],
    whileLost: 'the connection is lost; the machine goes on without it',
  };
}

const readScript = (name: string): string => readFileSync(join(import.meta.dirname, '../etcd/guest', name), 'utf8');

function notLent({ name }: MachineBlueprint, { exitCode, log }: JobEnd): LabwrightError {
  return new LabwrightError('LW6036', {
    what: `etcd decides nothing: its member on ${name} was added and could not be started`,
    where: { machine: name, unit: 'labwright-voter.service' },
    why: exitCode === undefined ? 'the machine was switched off, or somebody stopped it' : `it ended with ${exitCode}`,
    log,
    fix: ['read the lines above', 'labwright up   tries it again'],
  });
}
