// `serve`: boots machines and answers commands on its socket, for as long as it runs.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { readLab } from '@labwright/core/lab/read-lab';
import { LabwrightError } from '@labwright/core/errors/error';
import { serveLab } from '@labwright/daemon/serve';
import type { Command } from '../command.ts';
import { exitCodes } from '../program.ts';
import { serveOptionsInRehearsal } from '../rehearsal/serve-in-rehearsal.ts';

export const serveCommand: Command = {
  name: 'serve',
  summary: 'boot machines and answer commands until it is ended',
  options: [
    { flags: '--rehearsal <state>', summary: 'serve the rehearsal with this state (rehearse starts it so)' },
    { flags: '--tools <root>', summary: 'Debian root with the boot loaders' },
  ],
  examples: ['labwright serve'],
  run: async (program, { flags }) => {
    const { rehearsal, tools } = flags;
    if (typeof rehearsal !== 'string' || typeof tools !== 'string' || program.options.lab === undefined) {
      throw new LabwrightError('LW0002', {
        what: 'this version serves rehearsals only',
        why: 'the commands for hardware are not finished',
        fix: ['labwright rehearse'],
      });
    }
    const labFile = await readLab(program.options.lab);
    const blueprint = resolveBlueprint(labFile.lab, { rehearsal: true });
    const options = await serveOptionsInRehearsal(program, blueprint, rehearsal, tools);
    await serveLab(options, program.interrupt);
    return exitCodes.done;
  },
};
