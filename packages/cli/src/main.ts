// Entry of the command line: the only file here that reads the environment, the streams and the signals.
import { createInterface } from 'node:readline/promises';
import { LabwrightError } from '@labwright/core/errors/error';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { runCommandLine } from './cli.ts';
import { getFolders } from './folders.ts';
import type { Terminal } from './terminal.ts';

const { stdout, stderr, stdin, env } = process;
const isInteractive = stderr.isTTY && env['TERM'] !== 'dumb';
const columns = (): number => (stderr.isTTY ? stderr.columns : stdout.isTTY ? stdout.columns : 80);

const terminal: Terminal = {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  get columns() {
    return Math.max(40, columns());
  },
  get rows() {
    return stderr.isTTY ? stderr.rows : 24;
  },
  isInteractive,
  hasColour: isInteractive && (env['NO_COLOR'] ?? '') === '',
  ask: async (question) => {
    if (!stdin.isTTY) return undefined;
    const reader = createInterface({ input: stdin, output: stderr });
    try {
      return await reader.question(question);
    } finally {
      reader.close();
    }
  },
};

const interrupt = new AbortController();
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    const reason = new LabwrightError('LW0003', { what: 'interrupted' });
    if (interrupt.signal.aborted) stop.abort(reason);
    else interrupt.abort(reason);
  });
}
// A reader that has seen enough (`labwright plan | head -1`) is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal,
  environment: env,
  folders: getFolders(env),
  directory: process.cwd(),
  clock: systemClock,
  random: systemRandom,
  interrupt: interrupt.signal,
  signal: stop.signal,
});
