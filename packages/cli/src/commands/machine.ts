// `down`, `destroy` and `machine rebuild`: what a person asks for beside `up`.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { nearestName } from '@labwright/core/lab/nearest-name';
import { applyIntent } from '../apply.ts';
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import type { ExitCode, Program } from '../program.ts';

export async function down(program: Program): Promise<ExitCode> {
  return await withLab(program, { boot: false }, (session) => applyIntent(program, session, { kind: 'down' }));
}

export async function destroy(program: Program, { words, flags }: CommandInput): Promise<ExitCode> {
  const isAll = flags['all'] === true;
  if (isAll ? words.length > 0 : words.length === 0) {
    throw new LabwrightError('LW0002', {
      what: isAll ? 'either --all or the names of machines, not both' : 'name the machines to destroy',
      fix: ['labwright destroy node103', 'labwright destroy --all'],
    });
  }
  const check = (blueprint: Blueprint): void => assertMachines(blueprint, words);
  return await withLab(program, { boot: false, check }, async (session) => {
    const machines = isAll ? session.blueprint.machines.map((machine) => machine.name) : [...words];
    return await applyIntent(program, session, { kind: 'destroy', machines });
  });
}

export async function rebuild(program: Program, { words: [machine = ''] }: CommandInput): Promise<ExitCode> {
  const check = (blueprint: Blueprint): void => assertMachines(blueprint, [machine]);
  return await withLab(program, { boot: true, check }, (session) =>
    applyIntent(program, session, { kind: 'rebuild', machine }),
  );
}

/** Throws LW0002 for the first name that no machine of the lab has, replacements included. */
export function assertMachines(
  { machines, spares = [] }: Pick<Blueprint, 'machines' | 'spares'>,
  words: readonly string[],
): void {
  const names = machines.map(({ name }) => name);
  const unknown = words.find((word) => ![...machines, ...spares].some(({ name }) => name === word));
  if (unknown === undefined) return;
  const meant = nearestName(unknown, names);
  const shown = names.length > 8 ? [...names.slice(0, 8), '…'] : names;
  throw new LabwrightError('LW0002', {
    what: `the lab file has no machine ${unknown}`,
    ...(meant === undefined ? {} : { why: `did you mean ${meant}?` }),
    fix: [names.length === 0 ? 'give it a pool with a machine' : `name one of its machines: ${shown.join(', ')}`],
  });
}
