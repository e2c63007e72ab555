// A run of kubeadm as a step: its end in the words of people, with the machine's own last ones where it failed.
import type { HostName } from '@labwright/core/addresses/names';
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import { LabwrightError } from '@labwright/core/errors/error';
import { limits, type FormationOptions } from './formation-options.ts';
import { runKubeadmJob, type JobOutcome, type KubeadmJob } from './kubeadm-job.ts';

/**
 * Throws for everything but success, in the words of people and with the machine's own last ones. A run that ended because the
 * API server did not answer in time is begun again: kubeadm asks for ten seconds, and an API server that has just come up may
 * need longer. `beforeAgain` undoes what the run did elsewhere than on its machine.
 */
export async function runJob(
  options: FormationOptions,
  machine: MachineBlueprint,
  job: KubeadmJob,
  context: StepContext,
  beforeAgain: () => Promise<void> = async () => {},
): Promise<'done' | 'member'> {
  const { signal } = context;
  let step = 'its beginning';
  const run = async (): Promise<JobOutcome> =>
    await runKubeadmJob(options.openShell(machine.name), job, {
      clock: options.clock,
      signal,
      progress: (words) => {
        step = words;
        context.progress(words);
      },
      patienceMs: limits.silenceMs,
      timeoutMs: limits.jobMs,
    });
  let outcome = await run();
  for (let tries = 1; tries < triesOf[job.kind] && isForWantOfAnAnswer(outcome); tries += 1) {
    options.log.warn('kubeadm is begun again: the API server did not answer it in time', {
      machine: machine.name,
      job: job.kind,
      error: findError(outcome.log) ?? null,
    });
    context.progress('kubeadm: again, the API server did not answer in time');
    await beforeAgain();
    outcome = await run();
  }
  if (outcome.kind === 'done' || outcome.kind === 'member') return outcome.kind;
  if (outcome.kind === 'refused')
    throw outcome.state === 'foreign' ? foreignMachine(machine.name) : notMember(machine.name);
  const kubelet = await readKubeletLog(options, machine.name, signal);
  throw jobFailed(machine.name, job, outcome, step, kubelet);
}

/** Add-ons may be put in any number of times; what forms or joins undoes what it did first. */
const triesOf: Readonly<Record<KubeadmJob['kind'], number>> = { init: 2, join: 4, addons: 10 };

type Failed = Extract<JobOutcome, { readonly kind: 'failed' }>;

const silences = [
  // How Go's client says it.
  /deadline exceeded|Client\.Timeout|i\/o timeout|unexpected EOF|connection re(?:fused|set)|TLS handshake timeout|client connection lost/,
  // How an API server says it, and etcd behind it.
  /request did not complete|unable to return a response|etcdserver: (?:request timed out|leader changed)/,
  // etcd took the member in and did not say so in time (guest/kubeadm.sh); of three or more, it is there at the next try.
  /not enough started members|Peer URLs already exists/,
];

function isForWantOfAnAnswer(outcome: JobOutcome): outcome is Failed {
  if (outcome.kind !== 'failed') return false;
  const error = findError(outcome.log) ?? '';
  return silences.some((silence) => silence.test(error));
}

const findError = (log: readonly string[]): string | undefined => log.findLast((line) => /^error/i.test(line));

function jobFailed(
  name: string,
  job: KubeadmJob,
  outcome: Extract<JobOutcome, { readonly kind: 'failed' | 'killed' }>,
  step: string,
  kubelet: readonly string[],
): LabwrightError {
  const ended = outcome.kind === 'failed' ? `it ended with exit code ${outcome.exitCode}` : 'it was killed';
  return new LabwrightError('LW6012', {
    what: `kubeadm ${job.command.join(' ')} failed on ${name}`,
    where: { machine: name, 'stopped at': step },
    why: findError(outcome.log) ?? ended,
    fix: ['labwright up   undoes what is half done and tries again', `ssh ${name} sudo journalctl --unit kubelet`],
    log: [...outcome.log, ...(kubelet.length === 0 ? [] : ['its kubelet:', ...kubelet])],
  });
}

function notMember(name: string): LabwrightError {
  return new LabwrightError('LW6012', {
    what: `add-ons cannot be put into the cluster from ${name}`,
    where: { machine: name },
    why: 'it is not in the cluster',
    fix: ['labwright up'],
  });
}

export function foreignMachine(name: string): LabwrightError {
  return new LabwrightError('LW6011', {
    what: `${name} belongs to another cluster`,
    where: { machine: name },
    why: 'the authority on its disk is not the one whose keys lie beside the lab file',
    fix: ['put the keys of its cluster back from your copy', `or give it up: labwright machine rebuild ${name}`],
  });
}

/** The last lines, or what stood in the way of reading them: an error is being told already. */
export async function readKubeletLog(
  { openShell }: FormationOptions,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const command = ['sudo', 'journalctl', '--unit=kubelet', '--lines=15', '--no-pager', '--output=cat'];
  try {
    const { stdout } = await openShell(name as HostName)(command, { timeoutMs: limits.shellMs, signal });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (error) {
    signal.throwIfAborted();
    return [`(its log could not be read: ${error instanceof Error ? error.message : String(error)})`];
  }
}
