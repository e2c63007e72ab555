// `cluster upgrade|snapshot|restore|renew`, `machine drain|replace`: the life of a cluster, as plans like any other.
import { resolve } from 'node:path';
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

export async function clusterRestore(program: Program, { words: [file = ''] }: CommandInput): Promise<ExitCode> {
  return await withLab(program, { boot: false, check: assertCluster }, (session) =>
    applyIntent(program, session, { kind: 'restore', file: resolve(file) }),
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
