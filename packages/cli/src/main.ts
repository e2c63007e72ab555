// Entry of the command line: the only file here that reads the environment, the streams and the signals.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import { ensureFolder } from '@labwright/core/ports/folder';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { getFolders } from './folders.ts';
import { endWithoutHangingCalls } from './hanging-calls.ts';
import type { TextStyle } from './render/text.ts';
import type { Terminal } from './terminal.ts';

const { stdout, stderr, stdin, env } = process;
const folders = getFolders(env);
// Sources are compiled once and not at every start; without a place to keep that, it only takes longer.
const compiled = join(folders.cache, 'compiled');
await ensureFolder(compiled).then(
  () => enableCompileCache(compiled),
  () => undefined,
);

const isDumb = env['TERM'] === 'dumb';
// Narrower than this nothing can be laid out; the terminal then breaks lines itself, so nothing may be redrawn.
const fewestColumns = 40;

function styleOf(stream: typeof stdout | typeof stderr): TextStyle {
  return {
    columns: stream.isTTY ? Math.max(fewestColumns, stream.columns || 80) : 80,
    hasColour: stream.isTTY && !isDumb && (env['NO_COLOR'] ?? '') === '',
    isPlain: false,
  };
}

const terminal: Terminal = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  get outStyle() {
    return styleOf(stdout);
  },
  get errStyle() {
    return styleOf(stderr);
  },
  get rows() {
    return stderr.isTTY ? stderr.rows || 24 : 24;
  },
  isInteractive: stderr.isTTY && !isDumb && (stderr.columns || 80) >= fewestColumns,
  ask: async (question) => {
    if (!stdin.isTTY) return undefined;
    const reader = createInterface({ input: stdin, output: stderr });
    try {
      return await reader.question(question, { signal: interrupt.signal });
    } catch (error) {
      interrupt.signal.throwIfAborted();
      throw error;
    } finally {
      reader.close();
    }
  },
};

const interrupt = new AbortController();
const stop = new AbortController();
const interrupted = (): LabwrightError => new LabwrightError('LW0003', { what: 'interrupted' });
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    const reason = interrupted();
    // The third time is for a program that hangs; what it was doing is in the journal.
    if (stop.signal.aborted) process.exit(130);
    if (interrupt.signal.aborted) stop.abort(reason);
    else interrupt.abort(reason);
  });
}
// The terminal is gone. The kernel and the shell may both say so, which is no sign of impatience.
let isHungUp = false;
process.on('SIGHUP', () => {
  isHungUp = true;
  if (!interrupt.signal.aborted) interrupt.abort(interrupted());
});
// A reader that has seen enough (`labwright plan | head -1`) is no error; a full disk is. Nobody reads at a terminal that is gone.
let outputFailure: Error | undefined;
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && !isHungUp) outputFailure ??= error;
});
// Nobody is left to be told, or to answer.
for (const stream of [stderr, stdin]) stream.on('error', () => undefined);

function findDirectory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined; // It was removed; most commands say so.
  }
}

// After the cache is on, so that it serves what is loaded here.
const { runCommandLine } = await import('./cli.ts');
const exitCode = await runCommandLine(process.argv.slice(2), {
  terminal,
  environment: env,
  folders,
  directory: findDirectory(),
  clock: systemClock,
  random: systemRandom,
  interrupt: interrupt.signal,
  signal: stop.signal,
});
// What was written is only known to have arrived once everything is.
await new Promise<void>((resolve) => stdout.write('', () => resolve()));
process.exitCode = outputFailure === undefined ? exitCode : await reportOutputFailure(outputFailure);
endWithoutHangingCalls(terminal);

async function reportOutputFailure(cause: Error): Promise<number> {
  const { reportError } = await import('./report-error.ts');
  const error = new LabwrightError('LW0005', {
    what: 'the output could not be written',
    why: asLabwrightError(cause).why ?? cause.message,
    fix: ['write it to a place with room for it'],
    cause,
  });
  await reportError(error, { terminal, options: { json: false, debug: false } });
  return 1;
}
