// A control plane of the lab as a restore needs it: each act is a job on the machine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostName } from '@labwright/core/addresses/names';
import type { MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { StepContext } from '@labwright/core/engine/engine';
import { invariant } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { OpenShell } from '../formation/shell.ts';
import { runMachineJob, type JobFile } from '../machine-job/machine-job.ts';
import type { RestoreHost, RestorePhase } from './restore.ts';

export interface RestoreMachineOptions {
  readonly openShell: OpenShell;
  readonly clock: Clock;
  readonly progress: StepContext['progress'];
}

const minuteMs = 60_000;
const limits = { actMs: 10 * minuteMs, silenceMs: 2 * minuteMs } as const;
const peerPort = 2380;

export function makeRestoreMachine(
  machine: Pick<MachineBlueprint, 'name' | 'address'>,
  options: RestoreMachineOptions,
): RestoreHost {
  const { openShell, clock, progress } = options;
  const name: HostName = machine.name;
  const peerUrl = `https://${machine.address}:${peerPort}`;
  const act = async (
    settings: Readonly<Record<string, string>>,
    signal: AbortSignal,
    files: readonly JobFile[] = [],
  ): Promise<readonly string[]> =>
    await runMachineJob(
      openShell(name),
      name,
      {
        unit: 'labwright-restore',
        description: `Labwright: restore ${settings['snapshot'] ?? ''}, ${settings['act'] ?? ''}`,
        script: readFileSync(join(import.meta.dirname, 'guest/restore.sh'), 'utf8'),
        settings,
        files,
      },
      {
        clock,
        signal,
        progress: (words) => progress(`${name}: ${words}`),
        timeoutMs: limits.actMs,
        patienceMs: limits.silenceMs,
      },
    );
  return {
    name,
    peerUrl,
    fetchPhase: async (snapshot, signal) => {
      const lines = await act({ act: 'look', snapshot }, signal);
      const phase = lines.flatMap((line) => /^phase (\w+)$/.exec(line)?.[1] ?? [])[0];
      invariant(isPhase(phase), `${name} says how far its restore is: "${phase}"`);
      return phase;
    },
    stop: async (snapshot, signal) => void (await act({ act: 'stop', snapshot }, signal)),
    restore: async ({ snapshot, plain, initialCluster, token }, signal) => {
      const settings = { act: 'restore', snapshot, name, peer: peerUrl, cluster: initialCluster, token };
      await act(settings, signal, [{ path: 'snapshot.db', mode: 0o600, content: plain }]);
    },
    start: async (snapshot, signal) => void (await act({ act: 'start', snapshot }, signal)),
    finish: async (snapshot, signal) => void (await act({ act: 'finish', snapshot }, signal)),
  };
}

function isPhase(text: string | undefined): text is RestorePhase {
  return text === 'absent' || text === 'untouched' || text === 'stopped' || text === 'restored' || text === 'started';
}
