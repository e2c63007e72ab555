// The lines of a run: the one that stays when a step ends, the block of what runs, and the word now and then without a
// terminal. Pure.
import type { LabEvent, RunEndedEvent } from '@labwright/core/events/event';
import { formatError } from './error.ts';
import { estimateLeftMs, isMoreToCome, type RunningStep, type RunState } from './run-state.ts';
import { formatDuration, formatEstimate, hang, paint, plural, wrap, type Paint, type TextStyle } from './text.ts';
import { fit, fitMiddle, padColumns } from '@labwright/core/text/width';

/** With more steps than this a person who watches is told of things, not of each step. */
const manySteps = 60;

/** The line that stays when a step ends; undefined for events that leave none. */
export function formatFinished(
  event: LabEvent,
  before: RunState,
  style: TextStyle,
  isWatched: boolean,
): string | undefined {
  if (event.type !== 'step') return undefined;
  const running = before.running.get(event.step);
  switch (event.state) {
    case 'done':
      if (isWatched && before.total > manySteps && isMoreToCome(before, event.target)) return undefined;
      return stay({ sign: '✓', word: 'done', as: 'good' }, event.target, event.detail, event.durationMs, before, style);
    case 'failed': {
      const text = running?.title ?? event.step;
      const sign = { sign: '✗', word: 'failed', as: 'bad' } as const;
      return stay(sign, event.target, text, event.durationMs, before, style) + formatError(event.error, style);
    }
    case 'started':
    case 'progress':
    case 'skipped':
      return undefined;
  }
  return undefined;
}

interface Sign {
  readonly sign: string;
  readonly word: string;
  readonly as: Paint;
}

/** Nothing of it is cut: the text goes on in further lines, the time stands at the end of the first. */
function stay(sign: Sign, target: string, text: string, durationMs: number, state: RunState, style: TextStyle): string {
  const time = formatDuration(durationMs);
  const word = style.isPlain ? `${sign.word.padEnd(6)} ` : '';
  const lead = 3 + word.length;
  const room = style.columns - lead - time.length - 2;
  const width = nameWidth(state, style);
  const name = fitMiddle(target, width);
  const [first = '', ...rest] = wrap(text, Math.max(8, room - width - 2));
  const head = padColumns(`${padColumns(name, width)}  ${first}`, room);
  const indent = ' '.repeat(lead + width + 2);
  return [
    ` ${paint(sign.as, sign.sign, style)} ${word}${head}  ${time}`,
    ...rest.map((line) => indent + line),
    '',
  ].join('\n');
}

/** Half the line belongs to what happens. */
function nameWidth(state: RunState, { columns }: TextStyle): number {
  return Math.min(Math.max(7, state.longestName), Math.floor(columns * 0.3));
}

/** More are counted: the block is for reading, and erasing it must not reach above the screen. */
const runningRows = 12;

/** What runs, and a last line with the whole. Empty before the run and after it. */
export function formatRunning(state: RunState, now: number, style: TextStyle, rows: number): readonly string[] {
  if (state.total === 0 || state.ended !== undefined) return [];
  // In the last column some terminals wrap already.
  const columns = style.columns - 1;
  const room = Math.max(1, Math.min(runningRows, rows - 4));
  const running = [...state.running.values()];
  const lines = running.slice(0, room).map((step) => formatRunningStep(step, now, state, columns));
  if (running.length > room) lines.push(`   and ${running.length - room} more`);
  const leftMs = estimateLeftMs(state, now);
  const parts = [
    `${state.done} of ${state.total}`,
    formatDuration(now - state.startedAt),
    ...(leftMs > 0 ? [`${formatEstimate(leftMs)} left`] : []),
    ...(state.failures.length > 0 ? [`${state.failures.length} failed`] : []),
    'Ctrl-C is safe',
  ];
  const whole = parts.join(' · ');
  return [...lines, fit(` ${bar(state, columns - whole.length - 2)} ${whole}`, columns)];
}

function formatRunningStep(step: RunningStep, now: number, state: RunState, columns: number): string {
  const width = nameWidth(state, { columns, hasColour: false, isPlain: false });
  const time = formatSpent(step, now);
  const room = columns - 3 - width - 2 - 2 - time.length;
  const detail = padColumns(fit(step.detail === '' ? step.title : step.detail, room), room);
  return fit(` ▸ ${padColumns(fitMiddle(step.target, width), width)}  ${detail}  ${time}`, columns);
}

/** "9 s (usual 6 s)" */
function formatSpent({ since, estimateMs }: RunningStep, now: number): string {
  const usual = estimateMs > 0 ? ` (usual ${formatDuration(estimateMs)})` : '';
  return `${formatDuration(now - since)}${usual}`;
}

const stillShown = 5;

/** What still runs, with the last thing seen of it; the longest first. */
export function formatStill(state: RunState, now: number, style: TextStyle): string {
  const running = [...state.running.values()].toSorted((one, other) => one.since - other.since);
  const lines = running.slice(0, stillShown).flatMap((step) => {
    const seen = step.detail === '' ? step.title : step.detail;
    return hang('still  ', `${step.target}: ${seen}, ${formatSpent(step, now)}`, style.columns);
  });
  if (running.length > stillShown) lines.push(`still  and ${running.length - stillShown} more`);
  return lines.map((line) => `${line}\n`).join('');
}

/** What the run came to. */
export function formatEnd(
  { outcome, durationMs, stepsDone, stepsLeft }: RunEndedEvent,
  failed: number,
  style: TextStyle,
): string {
  const done = `${plural(stepsDone, 'step')} done in ${formatDuration(durationMs)}`;
  const notStarted = stepsLeft - failed;
  const left = notStarted > 0 ? `, ${notStarted} not begun` : '';
  const goOn = 'To go on: labwright up';
  const sentences = {
    done: `${done}.`,
    failed: `${done}, ${failed} failed${left}. ${goOn}`,
    interrupted: `Stopped in good order: ${done}${left}. ${goOn}`,
  };
  return wrap(sentences[outcome], style.columns)
    .map((line) => `${line}\n`)
    .join('');
}

/** It takes the room that the words leave. */
function bar(state: RunState, room: number): string {
  const width = Math.min(20, Math.max(4, room));
  const full = Math.min(width, Math.round((state.done / state.total) * width));
  return '━'.repeat(full) + '╌'.repeat(width - full);
}
