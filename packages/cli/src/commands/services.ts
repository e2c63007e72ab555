// `services compose`: the compose file of a service outside the cluster; nothing is asked and nothing changed.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { formatComposeFile } from '@labwright/cluster/services/compose';
import type { CommandInput } from '../command.ts';
import { locateLabFileAlone, readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { labFileAt } from '../rehearsal/rehearsed-lab.ts';

/** Throws LW0002 for a name that is no service, or one that Labwright makes no file for. */
export async function servicesCompose(program: Program, { words: [name = ''] }: CommandInput): Promise<ExitCode> {
  const location = await locateLabFileAlone(program);
  const { lab } = labFileAt(location, await readLabFile(program, location.labFile));
  const text = formatComposeFile(resolveBlueprint(lab, { rehearsal: location.kind === 'rehearsal' }), name);
  program.terminal.out(program.options.json ? `${JSON.stringify({ name, text }, undefined, 2)}\n` : text);
  return exitCodes.done;
}
