// A run on the terminal. Finished steps scroll up; with a person watching, running ones stay at the bottom and say what
// they wait for; without one, a line a finished step and once a minute a line for what still runs.
import type { Clock } from '@labwright/core/ports/clock';
import type { LabEvent } from '@labwright/core/events/event';
import type { Terminal } from '../terminal.ts';
import { formatEnd, formatFinished, formatRunning, formatStill } from './run-lines.ts';
import { emptyRun, foldRun } from './run-state.ts';

export interface RunRenderer {
  handle(event: LabEvent): void;
  /** Redraws what changes with time alone; call it about once a second while the run lasts. */
  tick(): void;
  /** Leaves what stays and takes the block away. */
  close(): void;
}

const stillEveryMs = 60_000;
/** A hundred machines report at once; a person reads no faster. */
const redrawEveryMs = 100;

export function makeRunRenderer(terminal: Terminal, clock: Clock): RunRenderer {
  let state = emptyRun;
  let drawn = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let lastStillAt = clock.now();

  /** One write for all, so that nothing flickers. */
  const redraw = (staying: string): void => {
    const erased = drawn > 0 ? `\u001b[${drawn}A\u001b[J` : '';
    const lines = terminal.isInteractive ? formatRunning(state, clock.now(), terminal.errStyle, terminal.rows) : [];
    const text = erased + staying + lines.map((line) => `${line}\n`).join('');
    if (text !== '') terminal.err(text);
    drawn = lines.length;
    drawnAt = clock.now();
  };

  return {
    handle: (event) => {
      const finished = formatFinished(event, state, terminal.errStyle, terminal.isInteractive) ?? '';
      state = foldRun(state, event);
      const ended = event.type === 'run-ended' ? formatEnd(event, state.failures.length, terminal.errStyle) : '';
      const staying = finished + ended;
      if (staying !== '' || clock.now() - drawnAt >= redrawEveryMs) redraw(staying);
    },
    tick: () => {
      if (terminal.isInteractive) redraw('');
      else if (clock.now() - lastStillAt >= stillEveryMs) {
        lastStillAt = clock.now();
        terminal.err(formatStill(state, clock.now(), terminal.errStyle));
      }
    },
    close: () => {
      if (drawn > 0) terminal.err(`\u001b[${drawn}A\u001b[J`);
      drawn = 0;
    },
  };
}
