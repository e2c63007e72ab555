// Silence explained: what is waited for, once it takes longer than a moment.
import { fit } from '@labwright/core/text/width';
import type { Program } from '../program.ts';
import { formatDuration, wrap } from './text.ts';

const quietMs = 1000;
/** One line up, and all below gone. */
const erased = '\u001b[1A\u001b[J';

export type Wait = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Says on the error stream what is waited for while the work lasts: to a person in a line that counts the seconds and goes
 * away again, otherwise in one line, once however often it waits. With --json it stays silent.
 */
export function makeWait(program: Pick<Program, 'terminal' | 'clock' | 'options'>, what: string): Wait {
  let isTold = false;

  const tell = async (ended: AbortSignal): Promise<void> => {
    const { terminal, clock } = program;
    const startedAt = clock.monotonic();
    let isShown = false;
    while (!isTold && (await isStillWaiting(clock, ended))) {
      const { columns } = terminal.errStyle;
      if (!terminal.isInteractive) {
        isTold = true;
        terminal.err(`${wrap(what, columns, '  ').join('\n')}\n`);
        return;
      }
      // Never wider than the terminal: a line that breaks is not taken away whole.
      const time = ` · ${formatDuration(clock.monotonic() - startedAt)}`;
      terminal.err(`${isShown ? erased : ''}${fit(what, columns - time.length)}${time}\n`);
      isShown = true;
    }
    if (isShown) terminal.err(erased);
  };

  return async (work) => {
    if (program.options.json) return await work();
    const ended = new AbortController();
    const telling = tell(ended.signal);
    try {
      return await work();
    } finally {
      ended.abort();
      await telling;
    }
  };
}

async function isStillWaiting(clock: Program['clock'], ended: AbortSignal): Promise<boolean> {
  await clock.sleep(quietMs, ended).catch(() => undefined); // Aborted: the wait is over.
  return !ended.aborted;
}
