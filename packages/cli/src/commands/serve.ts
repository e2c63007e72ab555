// `serve`: boots machines and answers commands on its socket, for as long as it runs.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { serveLab } from '@labwright/daemon/serve';
import type { ServeOptions } from '@labwright/daemon/serve-options';
import type { CommandInput } from '../command.ts';
import { serveOptionsOnHardware } from '../hardware.ts';
import { locateLabFile, readLabFile } from '../lab-location.ts';
import { makeLineLog } from '../line-log.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { readRehearsalShape } from '../rehearsal/record.ts';
import { assertSameSurroundings } from '../rehearsal/surroundings.ts';
import { shapeLab } from '../rehearsal/rehearsed-lab.ts';
import { serveOptionsInRehearsal } from '../rehearsal/serve-in-rehearsal.ts';
import { untilInterrupted } from '../until-interrupted.ts';

export async function serve(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const { rehearsal } = flags;
  const state = typeof rehearsal === 'string' ? rehearsal : undefined;
  const first = await readServeOptions(program, state);
  const reread = async (): Promise<ServeOptions> => {
    const next = await readServeOptions(program, state);
    if (state !== undefined) assertSameSurroundings(first.blueprint, next.blueprint);
    return { ...next, reread };
  };
  const { interrupt } = program;
  const lab = await untilInterrupted(program, (signal) => serveLab({ ...first, reread }, signal)).catch(
    (error: unknown) => {
      // Ended while it waited for hosts is ended as asked.
      if (interrupt.aborted && !program.signal.aborted) return undefined;
      throw error;
    },
  );
  if (lab === undefined) return exitCodes.done;
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
  return await serveOptionsInRehearsal(program, { blueprint, labFile }, rehearsalState, log);
}
