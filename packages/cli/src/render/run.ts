// A run on the terminal. Finished steps scroll up; with a person watching, running ones stay at the bottom and say what
// they wait for; without one, a line a finished step and now and then a line for what still runs.
import type { Clock } from '@labwright/core/ports/clock';
import type { LabEvent } from '@labwright/core/events/event';
import type { Terminal } from '../terminal.ts';
import { formatError } from './error.ts';
import { emptyRun, foldRun, type RunningStep, type RunState } from './run-state.ts';
import { fit, formatDuration, formatEstimate, paint } from './text.ts';

export interface RunRenderer {
  handle(event: LabEvent): void;
  /** Redraws what changes with time alone; call it about once a second while the run lasts. */
  tick(): void;
  close(): void;
}

const stillEveryMs = 60_000;

export function makeRunRenderer(terminal: Terminal, clock: Clock): RunRenderer {
  let state = emptyRun;
  let drawn = 0;
  let lastStillAt = clock.now();
  const erase = (): void => {
    if (drawn > 0) terminal.err(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    if (!terminal.isInteractive) return;
    erase();
    const lines = formatRunning(state, clock.now(), terminal);
    terminal.err(lines.map((line) => `${line}\n`).join(''));
    drawn = lines.length;
  };
  return {
    handle: (event) => {
      const line = formatFinished(event, state, terminal);
      state = foldRun(state, event);
      if (line !== undefined) {
        erase();
        terminal.err(line);
      }
      draw();
    },
    tick: () => {
      if (terminal.isInteractive) draw();
      else if (clock.now() - lastStillAt >= stillEveryMs) {
        lastStillAt = clock.now();
        for (const step of state.running.values()) terminal.err(`still  ${describe(step, clock.now())}\n`);
      }
    },
    close: () => erase(),
  };
}

/** The line that stays when a step ends; undefined for events that leave none. */
export function formatFinished(event: LabEvent, before: RunState, terminal: Terminal): string | undefined {
  if (event.type !== 'step') return undefined;
  const running = before.running.get(event.step);
  const width = terminal.columns;
  const finished = (symbol: string, durationMs: number, text: string): string => {
    const time = formatDuration(durationMs);
    const room = width - 5 - time.length;
    return ` ${symbol} ${fit(text, room).padEnd(room)}${time}\n`;
  };
  switch (event.state) {
    case 'done':
      return finished(
        paint('good', '✓', terminal.hasColour),
        event.durationMs,
        `${event.target.padEnd(9)} ${event.detail}`,
      );
    case 'failed':
      return (
        finished(paint('bad', '✗', terminal.hasColour), event.durationMs, running?.title ?? event.step) +
        formatError(event.error, terminal)
      );
    case 'started':
    case 'progress':
    case 'skipped':
      return undefined;
  }
  return undefined;
}

function formatRunning(state: RunState, now: number, terminal: Terminal): readonly string[] {
  if (state.total === 0 || state.ended !== undefined) return [];
  // The block must fit on the screen, or erasing it would leave copies behind.
  const room = Math.max(1, terminal.rows - 4);
  const running = [...state.running.values()];
  const lines = running.slice(0, room).map((step) => ` ▸ ${fit(describe(step, now), terminal.columns - 4)}`);
  if (running.length > room) lines.push(`   and ${running.length - room} more`);
  const left = Math.max(0, ...running.map((step) => step.estimateMs - (now - step.since)));
  const rest = left > 0 ? ` · ${formatEstimate(left)} left` : '';
  lines.push(
    fit(
      ` ${bar(state)} ${state.done} of ${state.total} · ${formatDuration(now - state.startedAt)}${rest} · Ctrl-C is safe`,
      terminal.columns - 1,
    ),
  );
  return lines;
}

function describe(step: RunningStep, now: number): string {
  const spent = formatDuration(now - step.since);
  const usual = step.estimateMs > 0 ? ` (usual ${formatDuration(step.estimateMs)})` : '';
  const detail = step.detail === '' ? step.title : step.detail;
  return `${step.target.padEnd(9)} ${detail}  ${spent}${usual}`;
}

function bar(state: RunState): string {
  const width = 20;
  const full = state.total === 0 ? 0 : Math.round((state.done / state.total) * width);
  return '━'.repeat(full) + '╌'.repeat(width - full);
}
