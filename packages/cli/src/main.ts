// Entry of the command line: the only file here that reads the environment, the streams and the signals.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { LabwrightError } from '@labwright/core/errors/error';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { getFolders } from './folders.ts';
import type { TextStyle } from './render/text.ts';
import type { Terminal } from './terminal.ts';

const { stdout, stderr, stdin, env } = process;
const folders = getFolders(env);
// Sources are compiled once and not at every start; without a place to keep that, it only takes longer.
enableCompileCache(join(folders.cache, 'compiled'));

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
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

// After the cache is on, so that it serves what is loaded here.
const { runCommandLine } = await import('./cli.ts');
process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal,
  environment: env,
  folders,
  directory: process.cwd(),
  clock: systemClock,
  random: systemRandom,
  interrupt: interrupt.signal,
  signal: stop.signal,
});
