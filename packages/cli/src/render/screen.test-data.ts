// A terminal for tests: keeps what was written, and shows what a person would see of it. It knows the two control
// sequences the renderer uses, breaks lines at its width and scrolls at its height, as a real one does.
import type { Clock } from '@labwright/core/ports/clock';
import type { Terminal } from '../terminal.ts';
import { displayWidth } from '@labwright/core/text/width';

export interface Screen extends Terminal {
  /** Every line that was ever on it, those scrolled away first. */
  lines(): readonly string[];
  /** The widest line that was written, before breaking. */
  widest(): number;
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
  readonly isInteractive: boolean;
  readonly isPlain?: boolean;
}

export function makeScreen({ columns, rows, isInteractive, isPlain = false }: ScreenSize): Screen {
  const style = { columns, hasColour: false, isPlain };
  let lines = [''];
  let row = 0;
  let widest = 0;
  const put = (line: string): void => {
    lines[row] = (lines[row] ?? '') + line;
    widest = Math.max(widest, displayWidth(lines[row] ?? ''));
    for (; displayWidth(lines[row] ?? '') > columns; row += 1) {
      const whole = lines[row] ?? '';
      lines[row] = whole.slice(0, columns);
      lines.splice(row + 1, 0, whole.slice(columns));
    }
  };
  const write = (text: string): void => {
    // oxlint-disable-next-line no-control-regex -- control sequences are what is looked for
    for (const [part] of text.matchAll(/\u001b\[(\d+)A|\u001b\[J|\n|[^\u001b\n]+/g)) {
      const up = /\[(\d+)A/.exec(part)?.[1];
      // The cursor never leaves the visible rows.
      if (up !== undefined) row = Math.max(0, lines.length - rows, row - Number(up));
      else if (part === '\u001b[J') lines = [...lines.slice(0, row), ''];
      else if (part === '\n') {
        row += 1;
        if (row === lines.length) lines.push('');
      } else put(part);
    }
  };
  return {
    out: write,
    err: write,
    outStyle: style,
    errStyle: style,
    rows,
    isInteractive,
    ask: async () => undefined,
    lines: () => lines,
    widest: () => widest,
  };
}

/** Time that stands still until it is set. */
export interface HeldClock extends Clock {
  set(now: number): void;
}

export function makeHeldClock(): HeldClock {
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    sleep: async () => undefined,
    set: (at) => {
      now = at;
    },
  };
}
