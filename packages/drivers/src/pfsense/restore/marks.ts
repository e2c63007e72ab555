// Every mark in a configuration, of whichever lab. Pure.
import { parseText } from '../config/config-value.ts';
import { type Mark, parseMark, parseMarkComment } from '../config/mark.ts';
import { type XmlElement, childElements } from '../config/xml-tree.ts';

export type LabMark = Pick<Mark, 'lab' | 'cluster' | 'key'>;

/** In the order of the file. */
export function findMarks(root: XmlElement): readonly LabMark[] {
  const marks: LabMark[] = [];
  const look = (element: XmlElement): void => {
    const mark =
      element.name === 'descr'
        ? parseMark(parseText(element))
        : element.name === 'advanced_backend'
          ? parseMarkComment(parseText(element))
          : undefined;
    if (mark !== undefined) marks.push(mark);
    for (const child of childElements(element)) look(child);
  };
  look(root);
  return marks;
}
