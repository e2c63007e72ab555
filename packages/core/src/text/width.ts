// How wide text is on a terminal, so that no line is ever longer than the screen: combining marks take no column, East
// Asian characters and emoji take two. Unicode Standard Annex 11.

const noColumn = /\p{Mn}|\p{Me}/u;

/** First and last code points that terminals draw over two columns. */
const wide: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23f3],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x267f, 0x27bf],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18cff],
  [0x1aff0, 0x1b2ff],
  [0x1f000, 0x1faff],
  [0x20000, 0x3fffd],
];
// Our own marks lie among the dingbats and take one column.
const narrow = new Set('✓✗');
const emojiSelector = '\ufe0f';

export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  // It makes the symbol before it an emoji, which some terminals then draw wide.
  if (character === emojiSelector) return 1;
  if (noColumn.test(character)) return 0;
  return wide.some(([first, last]) => code >= first && code <= last) && !narrow.has(character) ? 2 : 1;
}

/** A stranger's text must not steer the terminal: control and direction characters become visible. */
export function printable(text: string): string {
  return text.replaceAll(/[\n\r\t]+/g, ' ').replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '�');
}

/** As much from the start as fits into the columns. */
export function takeColumns(text: string, columns: number): string {
  let width = 0;
  let taken = '';
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns) break;
    taken += character;
  }
  return taken;
}

export function padColumns(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - displayWidth(text)));
}

/** Cut to the columns with an ellipsis. */
export function fit(text: string, columns: number): string {
  const plain = printable(text);
  return displayWidth(plain) <= columns ? plain : columns < 1 ? '' : `${takeColumns(plain, columns - 1)}…`;
}

/** Cut in the middle: names of machines differ at their ends. */
export function fitMiddle(text: string, columns: number): string {
  const plain = printable(text);
  if (displayWidth(plain) <= columns) return plain;
  const characters = Array.from(plain).toReversed();
  const end = Array.from(takeColumns(characters.join(''), Math.floor((columns - 1) / 2)));
  const reversed = end.toReversed().join('');
  return columns < 1 ? '' : `${takeColumns(plain, columns - 1 - displayWidth(reversed))}…${reversed}`;
}
