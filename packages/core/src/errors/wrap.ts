// Breaks text into lines for a terminal.
import { displayWidth } from '../text/width.ts';

/** Columns right of a head that stands on the first line; `indent` stands before the others. A longer word keeps its line. */
export function wrapText(text: string, width: number, head = '', indent = ' '.repeat(displayWidth(head))): string[] {
  const lines: string[] = [];
  let line = head;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = indent;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].map((each) => each.trimEnd());
}
