// `exposures` and `why`: what of the cluster is reached from the house, and why a name does not answer.
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatExposures, formatWhy } from '../render/exposures.ts';
import { assertCluster } from './cluster.ts';

export async function exposures(program: Program): Promise<ExitCode> {
  const needs = { boot: false, check: assertCluster };
  const seen = await withLab(program, needs, ({ client }) => client.exposures(program.interrupt));
  const { terminal, options } = program;
  terminal.out(options.json ? `${JSON.stringify(seen, undefined, 2)}\n` : formatExposures(seen, terminal.outStyle));
  return exitCodes.done;
}

/** Fails when a hop does: whoever asks in a script wants to know. */
export async function why(program: Program, { words: [name = ''] }: CommandInput): Promise<ExitCode> {
  const needs = { boot: false, check: assertCluster };
  const seen = await withLab(program, needs, ({ client }) => client.why(name, program.interrupt));
  const { terminal, options } = program;
  terminal.out(options.json ? `${JSON.stringify(seen, undefined, 2)}\n` : formatWhy(seen, terminal.outStyle));
  return seen.hops.some(({ state }) => state === 'fails') ? exitCodes.failed : exitCodes.done;
}
