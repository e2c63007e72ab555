// What a machine is in a cluster, told by its own disk: asked when the cluster cannot be asked.
import { createHash } from 'node:crypto';
import type { DiskState } from '@labwright/core/facts/cluster';
import { invariant } from '@labwright/core/errors/error';
import { readGuestFile } from './kubeadm-job.ts';
import type { Shell } from './shell.ts';

/** `authority` is the PEM of our cluster's, if it was ever made. Throws what the shell throws. */
export async function fetchDiskState(
  shell: Shell,
  authority: string | undefined,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<DiskState> {
  const digest = authority === undefined ? '' : createHash('sha256').update(authority).digest('hex');
  const script = [`authority='${digest}'`, readGuestFile('state.sh'), readGuestFile('look.sh')].join('\n');
  const { stdout } = await shell(['sudo', 'sh', '-s'], { stdin: script, timeoutMs, signal });
  const state = stdout.trim();
  invariant(isDiskState(state), `the machine says what it is: "${state}"`);
  return state;
}

/** What is on its disk counts as half of something from now on: whoever joins it undoes that first. */
export async function markBegun(
  shell: Shell,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const script = [readGuestFile('state.sh'), readGuestFile('mark-begun.sh')].join('\n');
  await shell(['sudo', 'sh', '-s'], { stdin: script, timeoutMs, signal });
}

function isDiskState(text: string): text is DiskState {
  return ['blank', 'begun', 'busy', 'member', 'foreign'].includes(text);
}
