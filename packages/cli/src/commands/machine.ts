// `down`, `destroy` and `machine rebuild`: what a person asks for beside `up`.
import { LabwrightError } from '@labwright/core/errors/error';
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
  return await withLab(program, { boot: false }, async (session) => {
    const machines = isAll ? session.blueprint.machines.map((machine) => machine.name) : [...words];
    return await applyIntent(program, session, { kind: 'destroy', machines });
  });
}

export async function rebuild(program: Program, { words: [machine = ''] }: CommandInput): Promise<ExitCode> {
  return await withLab(program, { boot: true }, (session) =>
    applyIntent(program, session, { kind: 'rebuild', machine }),
  );
}
