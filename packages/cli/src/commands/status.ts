// `status`: the lab in one screen.
import type { CommandInput } from '../command.ts';
import { withLab } from '../lab-session.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatStatus } from '../render/status.ts';

export async function status(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const seen = await withLab(program, { boot: false }, ({ client }) => client.status(program.interrupt));
  const { terminal, options } = program;
  const view = { ...terminal.outStyle, isFull: flags['full'] === true };
  terminal.out(options.json ? `${JSON.stringify(seen, undefined, 2)}\n` : formatStatus(seen, view));
  return exitCodes.done;
}
