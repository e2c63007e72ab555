// `serve`: boots machines and answers commands on its socket, for as long as it runs.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { serveLab, type ServeOptions } from '@labwright/daemon/serve';
import type { CommandInput } from '../command.ts';
import { serveOptionsOnHardware } from '../hardware.ts';
import { locateLabFile, readLabFile } from '../lab-location.ts';
import { makeLineLog } from '../line-log.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { readRehearsalShape } from '../rehearsal/record.ts';
import { shapeLab } from '../rehearsal/rehearsed-lab.ts';
import { serveOptionsInRehearsal } from '../rehearsal/serve-in-rehearsal.ts';

export async function serve(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { rehearsal } = flags;
  const options = await readServeOptions(program, typeof rehearsal === 'string' ? rehearsal : undefined);
  const lab = await serveLab(options, program.signal);
  const { interrupt } = program;
  await new Promise<void>((resolve) => {
    if (interrupt.aborted) resolve();
    else interrupt.addEventListener('abort', () => resolve(), { once: true });
  });
  await lab.close();
  return exitCodes.done;
}

async function readServeOptions(program: Program, rehearsalState: string | undefined): Promise<ServeOptions> {
  const log = makeLineLog(
    program.terminal,
    program.clock,
    program.options.debug || rehearsalState !== undefined ? 'debug' : 'info',
  );
  const labFile = await readLabFile(program, await locateLabFile(program));
  if (rehearsalState === undefined)
    return await serveOptionsOnHardware(program, labFile, { boot: true, waitsForHosts: true, log });
  const lab = shapeLab(labFile.lab, await readRehearsalShape(rehearsalState));
  const blueprint = resolveBlueprint(lab, { rehearsal: true });
  return await serveOptionsInRehearsal(program, { blueprint, labDirectory: labFile.directory }, rehearsalState, log);
}
