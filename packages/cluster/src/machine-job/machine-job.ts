// Work on a machine that is in the cluster: fetching, upgrading, restoring, renewing. (Runs of kubeadm that form or join are
// formation/kubeadm-job.ts's.)
import { LabwrightError } from '@labwright/core/errors/error';
import type { Shell } from '../formation/shell.ts';
import { followJob, type FollowedJob, type FollowOptions, type JobEnd } from './followed-job.ts';

export interface MachineJob {
  readonly unit: 'labwright-fetch' | 'labwright-upgrade' | 'labwright-restore' | 'labwright-renew';
  /** Two of one description do the same work. */
  readonly description: string;
  /** What it does, run by sh in a folder of its own in memory, with the settings as variables. */
  readonly script: string;
  readonly settings: Readonly<Record<string, string>>;
  /** By relative path, below `files/`; removed when the job ends. */
  readonly files?: readonly JobFile[];
}

export interface JobFile {
  readonly path: string;
  readonly mode: number;
  readonly content: string | Uint8Array;
}

/**
 * Runs the job to its end, or follows the very same one that is under way; gives its last lines. Another one of its kind is
 * followed first. Throws LW6036 when it fails or is gone without a last word, LW3003 for a machine that stays silent.
 */
export async function runMachineJob(
  shell: Shell,
  machine: string,
  job: MachineJob,
  options: FollowOptions,
): Promise<readonly string[]> {
  const { unit, description, script: work, settings, files = [] } = job;
  const followed: FollowedJob = {
    unit,
    description,
    work,
    settings,
    files: files.map((file) => ({ ...file, path: `files/${file.path}` })),
    describe: (line) => /^\[labwright\] (.+)$/.exec(line)?.[1],
    whileLost: 'the connection is lost; the machine goes on without it',
  };
  for (;;) {
    const end = await followJob(shell, followed, options);
    if (end.exitCode !== 0) throw failed(machine, job, end);
    // What was under way may have been begun for something else.
    if (end.attachedTo === undefined || end.attachedTo === description) return end.log;
  }
}

function failed(machine: string, job: MachineJob, { exitCode, log }: JobEnd): LabwrightError {
  return new LabwrightError('LW6036', {
    what: `"${job.description}" failed on ${machine}`,
    where: { machine, unit: `${job.unit}.service` },
    why:
      exitCode === undefined
        ? 'it was gone without a last word: the machine was switched off, or somebody stopped it'
        : `it ended with exit code ${exitCode}`,
    log,
    fix: ['read the lines above', 'run the command again: it goes on from where it is'],
  });
}
