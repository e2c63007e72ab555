// Lists of machines: a sign, a name and what belongs to it, in columns. Names may be 63 characters long and machines
// hundreds, and 80 columns still suffice.
import { paint, wrap, type Paint, type TextStyle } from './text.ts';
import { displayWidth, fit, padColumns } from '@labwright/core/text/width';

export interface Row {
  readonly sign: string;
  /** What the sign means; written out where no colour and no symbol may be relied on. */
  readonly word: string;
  readonly paint?: Paint;
  readonly name: string;
  /** Aligned with those of the other rows; a number stands at the right of its column. */
  readonly cells: readonly string[];
  /** Free words after the cells. */
  readonly text?: string;
}

const indent = '      ';

/** A row is one line where it fits, and otherwise its name and, below, the rest. */
export function layoutRows(rows: readonly Row[], style: TextStyle): readonly string[] {
  const wordWidth = style.isPlain ? Math.max(0, ...rows.map((row) => row.word.length)) + 1 : 0;
  const leadWidth = 4 + wordWidth;
  const cellWidths = widthsOf(rows);
  const cellsWidth = cellWidths.reduce((sum, width) => sum + 2 + width, 0);
  const nameRoom = style.columns - leadWidth - cellsWidth;
  const nameWidth = Math.max(0, ...rows.map((row) => displayWidth(row.name)).filter((width) => width <= nameRoom));
  return rows.flatMap((row) => {
    const sign = row.paint === undefined ? row.sign : paint(row.paint, row.sign, style);
    const lead = `  ${sign} ${style.isPlain ? row.word.padEnd(wordWidth) : ''}`;
    const cells = row.cells.map((cell, at) => alignCell(cell, cellWidths[at] ?? 0));
    const text = row.text ?? '';
    const head = [padColumns(row.name, nameWidth), ...cells].join('  ');
    const textRoom = style.columns - leadWidth - displayWidth(head) - 2;
    if (textRoom >= (text === '' ? -2 : Math.min(24, displayWidth(text)))) {
      if (text === '') return [`${lead}${head}`.trimEnd()];
      return wrap(text, textRoom).map(
        (line, at) => `${at === 0 ? lead + head : ' '.repeat(leadWidth + displayWidth(head))}  ${line}`,
      );
    }
    const room = style.columns - indent.length;
    const below = [...flow(row.cells, room), ...(text === '' ? [] : wrap(text, room))];
    const [first = '', ...rest] = wrap(row.name, style.columns - leadWidth);
    return [lead + first, ...rest.map((line) => ' '.repeat(leadWidth) + line), ...below.map((line) => indent + line)];
  });
}

function widthsOf(rows: readonly Row[]): readonly number[] {
  const count = Math.max(0, ...rows.map((row) => row.cells.length));
  return Array.from({ length: count }, (_, at) => Math.max(0, ...rows.map((row) => displayWidth(row.cells[at] ?? ''))));
}

/** "512 MiB" below "16 GiB": quantities end in one line, words and addresses begin in one. */
function alignCell(cell: string, width: number): string {
  return /^\d+ /.test(cell) ? ' '.repeat(width - displayWidth(cell)) + cell : padColumns(cell, width);
}

function flow(cells: readonly string[], room: number): readonly string[] {
  const lines: string[] = [];
  for (const cell of cells.filter((each) => each !== '').map((each) => fit(each, room))) {
    const line = lines.at(-1);
    if (line !== undefined && displayWidth(line) + 2 + displayWidth(cell) <= room)
      lines[lines.length - 1] = `${line}  ${cell}`;
    else lines.push(cell);
  }
  return lines;
}

/** Lists longer than this are told in groups, unless everything was asked for. */
export const longList = 24;
const smallestGroup = 4;

/** Neighbours with the same key as one member each, where there are enough of them. */
export function groupNeighbours<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
): readonly (readonly Item[])[] {
  const groups: Item[][] = [];
  let lastKey: string | undefined;
  for (const item of items) {
    const key = keyOf(item);
    if (key === lastKey) groups.at(-1)?.push(item);
    else groups.push([item]);
    lastKey = key;
  }
  return groups.flatMap((group) => (group.length >= smallestGroup ? [group] : group.map((item) => [item])));
}

/** "node101…node399 (299)" */
export function formatNames(names: readonly string[]): string {
  const [first = ''] = names;
  return names.length === 1 ? first : `${first}…${names.at(-1) ?? ''} (${names.length})`;
}

/** "node" of "node101": names count as alike when only their numbers differ. */
export function stemOf(name: string): string {
  return name.replace(/\d+$/, '');
}
