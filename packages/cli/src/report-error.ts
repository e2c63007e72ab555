// What a command throws, turned into words (or JSON) and an exit code.
import type { LabwrightError } from '@labwright/core/errors/error';
import { exitCodes, type ExitCode, type Program } from './program.ts';
import { formatError } from './render/error.ts';

export async function reportError(
  error: LabwrightError,
  program: Pick<Program, 'terminal'> & { readonly options: Pick<Program['options'], 'json' | 'debug'> },
): Promise<void> {
  const { terminal, options } = program;
  const { errStyle } = terminal;
  const labFile = error.code === 'LW1002' ? await readDiagnostics(error, errStyle.columns) : undefined;
  if (options.json) {
    const document = { error: error.toJSON(), ...(labFile === undefined ? {} : { diagnostics: labFile.diagnostics }) };
    terminal.out(`${JSON.stringify(document, undefined, 2)}\n`);
  } else terminal.err(labFile?.text ?? formatError(error.toJSON(), errStyle));
  if (options.debug || error.code === 'LW0001') terminal.err(`${formatChain(error)}\n`);
}

/** Loaded only for a lab file with problems: help and typing mistakes are told without the schema. */
async function readDiagnostics(error: LabwrightError, width: number) {
  const [{ LabFileError }, { formatDiagnostics }] = await Promise.all([
    import('@labwright/core/lab/read-lab'),
    import('@labwright/core/lab/format-diagnostics'),
  ]);
  if (!(error instanceof LabFileError)) return undefined;
  const { diagnostics, source } = error;
  return { diagnostics, text: formatDiagnostics(diagnostics, source, { width }) };
}

function formatChain(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${formatChain(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

export function exitCodeOf(error: LabwrightError): ExitCode {
  switch (error.kind) {
    case 'config':
    case 'usage':
      return exitCodes.usage;
    case 'unreachable':
      return exitCodes.unreachable;
    case 'conflict':
      return error.code === 'LW5001' ? exitCodes.moved : exitCodes.failed;
    case 'interrupted':
      return exitCodes.interrupted;
    case 'denied':
    case 'refused':
    case 'timeout':
    case 'environment':
    case 'bug':
      return exitCodes.failed;
  }
  return exitCodes.failed;
}
