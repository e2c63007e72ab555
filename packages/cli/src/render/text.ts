// Words and figures as every screen writes them.
import { styleText } from 'node:util';

export type Style = 'good' | 'bad' | 'warning' | 'faint' | 'strong';

const formats = { good: 'green', bad: 'red', warning: 'yellow', faint: 'dim', strong: 'bold' } as const;

/** Colour is never the only sign: a symbol or word always stands beside it. */
export function paint(style: Style, text: string, hasColour: boolean): string {
  return hasColour ? styleText(formats[style], text, { validateStream: false }) : text;
}

/** "4 s", "1m 52s", "2h 05m"; under a second "0.3 s". */
export function formatDuration(durationMs: number): string {
  if (durationMs < 950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}

/** "about 40 s", "about 3 min": an estimate is not given to the second. */
export function formatEstimate(durationMs: number): string {
  if (durationMs < 55_000) return `about ${Math.max(5, Math.ceil(durationMs / 5000) * 5)} s`;
  return `about ${Math.ceil(durationMs / 60_000)} min`;
}

export function formatMiB(memoryMiB: number): string {
  return memoryMiB >= 1024 && memoryMiB % 1024 === 0 ? `${memoryMiB / 1024} GiB` : `${memoryMiB} MiB`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Cut to the width with an ellipsis; control characters of strangers never reach the terminal. */
export function fit(text: string, width: number): string {
  // oxlint-disable-next-line no-control-regex -- taking them out is the purpose
  const plain = text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
  return plain.length <= width ? plain : `${plain.slice(0, Math.max(0, width - 1))}…`;
}

/** Words wrapped to the width, every line after the first indented. */
export function wrap(text: string, width: number, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((each) => each !== '')) {
    const room = width - (lines.length === 0 ? 0 : indent.length);
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines.map((each, at) => (at === 0 ? each : indent + each));
}
