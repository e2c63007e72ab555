// `cluster upgrade|snapshot|restore|renew`, `machine drain|replace`: the life of a cluster, as plans like any other.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LabwrightError } from '@labwright/core/errors/error';
import { applyIntent } from '../apply.ts';
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import type { ExitCode, Program } from '../program.ts';
import { assertCluster } from './cluster.ts';
import { assertMachines } from './machine.ts';

/** The machines fetch the new version from the boot server, so it is there for the time. */
export async function clusterUpgrade(program: Program): Promise<ExitCode> {
  return await withLab(program, { boot: true, check: assertCluster }, (session) =>
    applyIntent(program, session, { kind: 'upgrade' }),
  );
}

export async function clusterSnapshot(program: Program): Promise<ExitCode> {
  return await withLab(program, { boot: false, check: assertCluster }, (session) =>
    applyIntent(program, session, { kind: 'snapshot', reason: 'asked' }),
  );
}

export async function clusterRenew(program: Program): Promise<ExitCode> {
  return await withLab(program, { boot: false, check: assertCluster }, (session) =>
    applyIntent(program, session, { kind: 'renew' }),
  );
}

/** Throws LW0005 for a file that is not there before anybody is asked. */
export async function clusterRestore(program: Program, { words: [named = ''] }: CommandInput): Promise<ExitCode> {
  const file = resolve(program.directory, named);
  await assertFile(file);
  return await withLab(program, { boot: false, check: assertCluster }, (session) =>
    applyIntent(program, session, { kind: 'restore', file }),
  );
}

export async function machineDrain(program: Program, { words: [machine = ''] }: CommandInput): Promise<ExitCode> {
  return await withLab(
    program,
    {
      boot: false,
      check: (blueprint) => {
        assertCluster(blueprint);
        assertMachines(blueprint, [machine]);
      },
    },
    (session) => applyIntent(program, session, { kind: 'drain', machine }),
  );
}

export async function machineReplace(
  program: Program,
  { words: [machine = ''], flags }: CommandInput,
): Promise<ExitCode> {
  const hostIsOff = flags['hostIsOff'] === true;
  return await withLab(program, { boot: true, check: (blueprint) => assertMachines(blueprint, [machine]) }, (session) =>
    applyIntent(program, session, { kind: 'replace', machine, hostIsOff }),
  );
}

/** One that is there may be for the Labwright that serves alone to read, so nothing more is asked of it here. Throws LW0005. */
async function assertFile(path: string): Promise<void> {
  try {
    if ((await stat(path)).isFile()) return;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EACCES') return;
    throw noSnapshot(path, message, cause);
  }
  throw noSnapshot(path, 'it is no file');
}

function noSnapshot(path: string, why: string, cause?: unknown): LabwrightError {
  return new LabwrightError('LW0005', {
    what: `${path} could not be read`,
    where: { file: path },
    why,
    fix: ['labwright cluster restore FILE   a snapshot, from the folder kubernetes.snapshots.to'],
    ...(cause === undefined ? {} : { cause }),
  });
}
