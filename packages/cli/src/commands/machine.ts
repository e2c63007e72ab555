// `down`, `destroy` and `machine rebuild`: what a person asks for beside `up`.
import { LabwrightError } from '@labwright/core/errors/error';
import { applyIntent } from '../apply.ts';
import type { Command } from '../command.ts';
import { withLab } from '../lab-session.ts';

export const machineCommands: readonly Command[] = [
  {
    name: 'down',
    summary: 'shut every machine down in good order; nothing is lost',
    examples: ['labwright down', 'labwright up   starts them again'],
    run: async (program) =>
      await withLab(program, { boot: false }, async (session) => await applyIntent(program, session, { kind: 'down' })),
  },
  {
    name: 'destroy',
    argument: '[machines...]',
    summary: 'remove machines with their disks; asks first',
    options: [{ flags: '--all', summary: 'every machine of the lab' }],
    examples: ['labwright destroy node103', 'labwright destroy --all'],
    run: async (program, { words, flags }) =>
      await withLab(program, { boot: false }, async (session) => {
        const machines = flags['all'] === true ? session.blueprint.machines.map((machine) => machine.name) : words;
        if (machines.length === 0) {
          throw new LabwrightError('LW0002', {
            what: 'name the machines to destroy',
            fix: ['labwright destroy node103', 'labwright destroy --all'],
          });
        }
        return await applyIntent(program, session, { kind: 'destroy', machines: [...machines] });
      }),
  },
  {
    name: 'machine rebuild',
    argument: '<name>',
    summary: 'install a machine anew over the network; asks first',
    examples: ['labwright machine rebuild node103'],
    run: async (program, { words: [machine = ''] }) =>
      await withLab(
        program,
        { boot: true },
        async (session) => await applyIntent(program, session, { kind: 'rebuild', machine }),
      ),
  },
];
