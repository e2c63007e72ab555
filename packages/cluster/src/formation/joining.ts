// A machine joins the cluster, with a token of its own that ends with the join.
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import {
  applyBootstrapToken,
  deleteBootstrapToken,
  formatBootstrapToken,
  makeBootstrapToken,
} from '@labwright/drivers/kubernetes/bootstrap-token';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { ClusterPki } from '../pki/pki.ts';
import { whileAnswering } from './answer.ts';
import { forgetFormerSelf } from './former-self.ts';
import { jobWorld, limits, machineOf, type FormationOptions } from './formation-options.ts';
import { makeJoinJob } from './kubeadm-jobs.ts';
import { runJob } from './kubeadm-run.ts';
import { findJoinObstacle } from './join-version.ts';
import { takePendingVoterOut } from './lent-voter.ts';
import { fetchDiskState } from './machine-disk.ts';
import { labLabel, labLabelValue } from './marks.ts';
import { choosePodRangeOf, givePodRange, type ChosenRanges } from './node-pod-range.ts';
import { fetchRunningVersions } from './observe.ts';
import type { ClusterJoinInput } from './step-input.ts';

export async function joinCluster(
  options: FormationOptions,
  chosen: ChosenRanges,
  input: ClusterJoinInput,
  context: StepContext,
): Promise<string> {
  const { clock, random, log, blueprint } = options;
  const { signal } = context;
  const machine = machineOf(options, input.name);
  const pki = await options.vault.readOrMake(signal);
  const connection = await options.connect(pki);
  await whileAnswering(options, pki, context, async () => {
    if (machine.role === 'control-plane') await takePendingVoterOut(options, pki, context);
    await assertVersion(options, machine, connection, pki, signal);
    await forgetFormerSelf(options, machine, connection, pki, context);
  });
  const startedAt = clock.monotonic();
  const token = makeBootstrapToken(random);
  context.progress('makes its token');
  const applyToken = async (): Promise<void> => {
    const expiresAt = clock.now() + limits.tokenMs;
    const labels = { [labLabel]: labLabelValue(blueprint.lab) };
    await applyBootstrapToken(
      connection,
      token,
      { expiresAt, description: `joins ${machine.name}`, labels },
      { signal },
    );
  };
  await whileAnswering(options, pki, context, applyToken);
  const over = new AbortController();
  try {
    const job = await makeJoinJob(jobWorld(options, pki), machine, formatBootstrapToken(token));
    const beginGiving = (): Promise<void> => {
      const begun = giveRange(options, chosen, machine, connection, AbortSignal.any([signal, over.signal]));
      // Awaited below, unless the job fails first.
      begun.catch(() => undefined);
      return begun;
    };
    let giving = beginGiving();
    const outcome = await runJob(options, machine, job, context, async () => {
      // While another control plane joins, etcd waits for its new member and nobody answers.
      await whileAnswering(options, pki, context, async () => {
        // The run that ended may have made its node and its member of etcd, and kubeadm takes no name that is taken.
        await forgetFormerSelf(options, machine, connection, pki, context);
        await applyToken();
      });
      giving = beginGiving();
    });
    // Its node is there by now. One that stays without a range of ours gets kube-controller-manager's.
    if (outcome === 'done') await Promise.race([giving, clock.sleep(limits.rangeMs, over.signal)]);
    const seconds = Math.round((clock.monotonic() - startedAt) / 1000);
    return outcome === 'member' ? 'had joined before' : `joined in ${seconds} s`;
  } finally {
    over.abort();
    try {
      await deleteBootstrapToken(connection, token.id, { signal });
    } catch (error) {
      // It ends by itself in minutes; what the join itself met is what matters.
      log.warn('a used token was not deleted', { machine: machine.name, error: String(error) });
    }
  }
}

async function giveRange(
  { cluster, clock }: FormationOptions,
  chosen: ChosenRanges,
  { name }: MachineBlueprint,
  connection: ClusterConnection,
  signal: AbortSignal,
): Promise<void> {
  if (cluster.podNetwork !== 'routed') return;
  const choose = async () => await choosePodRangeOf(name, cluster, chosen, connection, signal);
  await givePodRange(name, choose, { connection, clock, againMs: limits.answerAgainMs, signal });
}

/**
 * The plan has looked already, unless the cluster was silent then or was upgraded since. Throws LW6035; one that has joined
 * before is what it is.
 */
async function assertVersion(
  { blueprint, cluster, openShell }: FormationOptions,
  machine: MachineBlueprint,
  connection: ClusterConnection,
  pki: ClusterPki,
  signal: AbortSignal,
): Promise<void> {
  const running = await fetchRunningVersions(connection, blueprint, signal);
  const obstacle = findJoinObstacle(cluster.version, machine, running);
  if (obstacle === undefined) return;
  const shell = openShell(machine.name);
  const state = await fetchDiskState(shell, pki.ca.certificate, { timeoutMs: limits.shellMs, signal });
  if (state !== 'member' && state !== 'busy') throw obstacle;
}
