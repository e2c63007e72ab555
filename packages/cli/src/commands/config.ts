// `config check`, `config show` and `config schema`: the lab file on its own; nothing is asked and nothing changed.
import { labJsonSchema } from '@labwright/core/lab/lab-json-schema';
import { formatDiagnostics } from '@labwright/core/lab/format-diagnostics';
import { formatResolvedLab, resolvedLab } from '@labwright/core/lab/resolved-lab';
import { readLab } from '@labwright/core/lab/read-lab';
import type { Command } from '../command.ts';
import { locateLab } from '../lab-location.ts';
import { exitCodes } from '../program.ts';

export const configCommands: readonly Command[] = [
  {
    name: 'config check',
    summary: 'does the lab file make sense? every problem at once',
    examples: ['labwright config check', 'labwright --lab my/lab.yaml config check'],
    run: async (program) => {
      const { labFile } = await locateLab(program);
      const { lab, diagnostics, source, path } = await readLab(labFile);
      const { terminal, options } = program;
      if (options.json) terminal.out(`${JSON.stringify({ file: path, diagnostics }, undefined, 2)}\n`);
      else if (diagnostics.length > 0)
        terminal.out(formatDiagnostics(diagnostics, source, { width: terminal.columns }));
      else terminal.out(`${path} is fine: lab ${lab.lab}\n`);
      return exitCodes.done;
    },
  },
  {
    name: 'config show',
    summary: 'the lab file as Labwright reads it',
    options: [{ flags: '--resolved', summary: 'with every default, and where each value comes from' }],
    examples: ['labwright config show', 'labwright config show --resolved'],
    run: async (program, { flags }) => {
      const labFile = await readLab((await locateLab(program)).labFile);
      const values = resolvedLab(labFile);
      const { terminal, options } = program;
      if (options.json) terminal.out(`${JSON.stringify(values, undefined, 2)}\n`);
      else terminal.out(flags['resolved'] === true ? formatResolvedLab(values) : labFile.source);
      return exitCodes.done;
    },
  },
  {
    name: 'config schema',
    summary: 'JSON Schema of the lab file, for editors',
    examples: ['labwright config schema > lab.schema.json'],
    run: async (program) => {
      program.terminal.out(`${JSON.stringify(labJsonSchema(), undefined, 2)}\n`);
      return exitCodes.done;
    },
  },
];
