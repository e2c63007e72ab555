// The lab with every default filled in: each value beside the line or rule it comes from.
import { formatOrigin, type ResolvedValue } from '@labwright/core/lab/resolved-lab';
import { displayWidth, padColumns, printable } from '@labwright/core/text/width';
import { hang, wrap, type TextStyle } from './text.ts';

const indent = '    ';

/** "router.address  10.1.0.1  lab.yaml:14" a line; what has no room beside its name stands below it. */
export function formatResolvedLab(values: readonly ResolvedValue[], { columns }: Pick<TextStyle, 'columns'>): string {
  const rows = values.map(({ path, value, origin }) => ({
    path: printable(path),
    value: printable(value),
    origin: printable(formatOrigin(origin)),
  }));
  // A few long ones must not push all the others below their names.
  const pathWidth = widestWithin(
    rows.map(({ path }) => path),
    columns * 0.45,
  );
  const valueWidth = widestWithin(
    rows.map(({ value }) => value),
    columns * 0.25,
  );
  return rows
    .flatMap(({ path, value, origin }) => {
      const named = `${padColumns(path, pathWidth)}  ${value}`;
      const head = `${padColumns(named, pathWidth + 2 + valueWidth)}  `;
      const longestWord = Math.max(...origin.split(' ').map(displayWidth));
      if (displayWidth(head) + longestWord <= columns) return hang(head, origin, columns);
      const below = wrap(origin, columns - indent.length).map((line) => indent + line);
      if (displayWidth(named) <= columns) return [named, ...below];
      const valueLines = wrap(value, columns - indent.length).map((line) => indent + line);
      return [...wrap(path, columns), ...valueLines, ...below];
    })
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

function widestWithin(texts: readonly string[], limit: number): number {
  return Math.max(0, ...texts.map(displayWidth).filter((width) => width <= limit));
}
