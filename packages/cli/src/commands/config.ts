// `config check`, `config show` and `config schema`: the lab file on its own; nothing is asked and nothing changed.
import { labJsonSchema } from '@labwright/core/lab/lab-json-schema';
import { formatDiagnostics } from '@labwright/core/lab/format-diagnostics';
import { resolvedLab } from '@labwright/core/lab/resolved-lab';
import type { CommandInput } from '../command.ts';
import { locateLabFileAlone, readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { formatResolvedLab } from '../render/resolved-lab.ts';
import { wrap } from '../render/text.ts';

export async function configCheck(program: Program): Promise<ExitCode> {
  const { lab, diagnostics, source, path } = await readLabFile(program, (await locateLabFileAlone(program)).labFile);
  const { terminal, options } = program;
  const width = terminal.outStyle.columns;
  if (options.json) terminal.out(`${JSON.stringify({ file: path, diagnostics }, undefined, 2)}\n`);
  else if (diagnostics.length > 0) terminal.out(formatDiagnostics(diagnostics, source, { width }));
  else terminal.out(`${wrap(`${path} is fine: lab ${lab.lab}`, width).join('\n')}\n`);
  return exitCodes.done;
}

export async function configShow(program: Program, { flags }: CommandInput): Promise<ExitCode> {
  const labFile = await readLabFile(program, (await locateLabFileAlone(program)).labFile);
  const values = resolvedLab(labFile);
  const { terminal, options } = program;
  if (options.json) terminal.out(`${JSON.stringify(values, undefined, 2)}\n`);
  // Without --resolved it is the file itself, to be read or kept as one: not a line of it is wrapped.
  else terminal.out(flags['resolved'] === true ? formatResolvedLab(values, terminal.outStyle) : labFile.source);
  return exitCodes.done;
}

export async function configSchema(program: Program): Promise<ExitCode> {
  program.terminal.out(`${JSON.stringify(labJsonSchema(), undefined, 2)}\n`);
  return exitCodes.done;
}
