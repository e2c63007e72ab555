// Certificates of the control planes, renewed in time: kubeadm makes them for a year, and a cluster whose have ended is down.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostName } from '@labwright/core/addresses/names';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Executor, StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import type { EtcdMemberFacts } from '@labwright/core/facts/cluster';
import { stepId, type Json, type Step } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';
import { assertAllowed, fetchEtcdGroup, judgeMember, moveLeadershipFrom, type EtcdGroup } from '../etcd/etcd-group.ts';
import type { CertificateExpiry } from '../formation/certificates.ts';
import type { OpenShell } from '../formation/shell.ts';
import { membershipQueue } from './departure.ts';
import { runMachineJob } from '../machine-job/machine-job.ts';

const dayMs = 86_400_000;
/** A month is enough to be told of a renewal that fails, and to mend it. */
const renewalMs = 30 * dayMs;

export type RenewInput = {
  readonly name: string;
  readonly address: string;
  /** Its own have ended already. */
  readonly hasEnded: boolean;
  /**
   * Members that answer when it is done. Of those whose certificates have ended each one refuses the others: none is well before
   * enough of them have new ones, so the last of them waits for all.
   */
  readonly wellAfter: readonly string[];
};

export interface RenewalFacts {
  /** By control plane: its certificates, as far as it could be asked. */
  readonly certificates: ReadonlyMap<string, readonly CertificateExpiry[]>;
  readonly members: readonly EtcdMemberFacts[];
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
}

const minuteMs = 60_000;
const limits = {
  estimateMs: minuteMs,
  jobMs: 10 * minuteMs,
  silenceMs: 2 * minuteMs,
  wellMs: 5 * minuteMs,
  etcdMs: 10_000,
  lookAgainMs: 500,
} as const;

/**
 * One control plane after the other, those with a certificate that ends within 30 days; first those of which one has ended, which
 * are renewed whatever the others are, since they decide nothing any more. Throws LW6033 when one of the others cannot stop for a
 * moment then.
 */
export function planRenewals({ machines }: Blueprint, facts: RenewalFacts): readonly Step[] {
  const due = machines.flatMap((machine): readonly Due[] => {
    const first = findFirstEnding(machine, facts);
    return first === undefined ? [] : [{ machine, first, hasEnded: first.expiresAt <= facts.now }];
  });
  const ended = due.filter(({ hasEnded }) => hasEnded);
  const names = ended.map(({ machine }) => String(machine.name));
  // They are well again when the turn of the others comes.
  const members = facts.members.map((each) => (names.includes(each.name) ? { ...each, healthy: true } : each));
  let before: readonly string[] = [];
  return [...ended, ...due.filter(({ hasEnded }) => !hasEnded)].map((each) => {
    const { name } = each.machine;
    if (!each.hasEnded) assertAllowed(name, judgeMember({ members }, name, 'pause'));
    const wellAfter = each.hasEnded ? (each === ended.at(-1) ? names : []) : [name];
    const step = planRenewal(each, { now: facts.now, needs: before, wellAfter });
    before = [step.id];
    return step;
  });
}

interface Due {
  readonly machine: MachineBlueprint;
  /** The soonest to end. */
  readonly first: CertificateExpiry;
  readonly hasEnded: boolean;
}

/** Undefined when none ends soon. */
function findFirstEnding(
  { name }: MachineBlueprint,
  { certificates, now }: RenewalFacts,
): CertificateExpiry | undefined {
  // The kubelet renews its own, and is behind when its machine was off.
  const ending = (certificates.get(name) ?? []).filter(
    (each) => each.name !== 'kubelet' && each.expiresAt - now < renewalMs,
  );
  return ending.toSorted((one, other) => one.expiresAt - other.expiresAt)[0];
}

function planRenewal(
  { machine, first, hasEnded }: Due,
  {
    now,
    needs,
    wellAfter,
  }: Pick<RenewInput, 'wellAfter'> & { readonly now: number; readonly needs: readonly string[] },
): Step {
  const input: RenewInput = { name: machine.name, address: machine.address, hasEnded, wellAfter };
  const days = Math.floor((first.expiresAt - now) / dayMs);
  return {
    id: stepId('certs.renew', machine.name),
    kind: 'certs.renew',
    target: machine.name,
    title: `renew the certificates of ${machine.name}`,
    change: 'change',
    reason: hasEnded ? `${first.name} has ended` : `${first.name} ends in ${days} ${days === 1 ? 'day' : 'days'}`,
    needs,
    risk: { level: 'restart' },
    estimateMs: limits.estimateMs,
    relies: [],
    queues: [`vm/${machine.vmId}`, `node/${machine.name}`, membershipQueue],
    input: { ...input },
  };
}

export interface RenewalOptions {
  readonly openShell: OpenShell;
  readonly openEtcd: (signal: AbortSignal) => Promise<EtcdGroup>;
  readonly clock: Clock;
}

export function makeRenewalExecutor(options: RenewalOptions): Executor {
  return {
    nature: 'work',
    // A plan is made and checked by this program; its inputs are of the type that stands above.
    run: async (input: Json, context) => await renew(options, input as RenewInput, context),
  };
}

async function renew(options: RenewalOptions, input: RenewInput, { signal, progress }: StepContext): Promise<string> {
  const { openShell, clock } = options;
  const { name, address, wellAfter } = input;
  await handOver(options, input, signal);
  const job = {
    unit: 'labwright-renew',
    description: 'Labwright: renew certificates',
    script: readFileSync(join(import.meta.dirname, 'guest/renew.sh'), 'utf8'),
    settings: { address, answers: wellAfter.length === 0 ? 'later' : 'now' },
  } as const;
  await runMachineJob(openShell(hostName(name)), name, job, {
    clock,
    signal,
    progress,
    patienceMs: limits.silenceMs,
    timeoutMs: limits.jobMs,
  });
  if (wellAfter.length > 0) await waitForMembers(options, input, signal);
  return 'has certificates for another year';
}

/**
 * When the certificates have ended nobody answers any more, or those do that are renewed already and have no leader: then there is
 * nothing to hand over.
 */
async function handOver(
  { openEtcd }: RenewalOptions,
  { name, hasEnded }: RenewInput,
  signal: AbortSignal,
): Promise<void> {
  const call = { signal, timeoutMs: limits.etcdMs };
  try {
    const facts = await fetchEtcdGroup(await openEtcd(signal), call);
    const member = facts.members.find((each) => each.name === name);
    if (member !== undefined) await moveLeadershipFrom(facts, member.id, call);
  } catch (error) {
    signal.throwIfAborted();
    const isNobody =
      error instanceof LabwrightError && (error.code === 'LW6031' || (hasEnded && error.code === 'LW6032'));
    if (!isNobody) throw error;
  }
}

/** The next one's turn comes when these members answer again. */
async function waitForMembers(
  { openEtcd, clock }: RenewalOptions,
  { name, wellAfter }: RenewInput,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.monotonic() + limits.wellMs;
  for (;;) {
    try {
      const facts = await fetchEtcdGroup(await openEtcd(signal), { signal, timeoutMs: limits.etcdMs });
      const well = facts.members.filter((member) => member.healthy).map((member) => member.name);
      if (wellAfter.every((each) => well.includes(each))) return;
      if (clock.monotonic() > deadline) throw neverWell(name);
    } catch (error) {
      signal.throwIfAborted();
      const isPassing = error instanceof LabwrightError && (error.code === 'LW6031' || error.code === 'LW6032');
      if (!isPassing || clock.monotonic() > deadline) throw error;
    }
    await clock.sleep(limits.lookAgainMs, signal);
  }
}

const neverWell = (name: string): LabwrightError =>
  new LabwrightError('LW6036', {
    what: `${name} has new certificates, and its etcd is not well since`,
    where: { machine: name },
    fix: [`look at it: ssh ${name} sudo journalctl -u kubelet`, 'labwright cluster status'],
  });
