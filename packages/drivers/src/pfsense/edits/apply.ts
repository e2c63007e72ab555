// Makes changes to the tree of config.xml. Every element that is not changed keeps its very text.
import { invariant } from '@labwright/core/errors/error';
import { formatValue, parseText, parseValue } from '../config/config-value.ts';
import {
  type XmlDocument,
  type XmlElement,
  type XmlNode,
  childElements,
  findElement,
  isElement,
  parseXml,
} from '../config/xml-tree.ts';
import { type Change, type EntryChange, type FieldsChange, judgeEntryChange } from './change.ts';

/** The document with the changes made. Each must be 'ready' or 'done' (judgeEntryChange) when its turn comes. */
export function applyChanges(document: XmlDocument, changes: readonly Change[]): XmlDocument {
  const root = changes.reduce((at, change) => applyChange(at, change), document.root);
  return root === document.root ? document : { ...document, root };
}

function applyChange(root: XmlElement, change: Change): XmlElement {
  if (change.kind === 'fields') {
    return updateElement(root, change.path, 0, 0, (section, depth) => applyFields(section, change, depth));
  }
  const { path, mayMake } = change.place;
  if (change.after === undefined && findElement(root, path) === undefined) return root;
  return updateElement(root, path, mayMake, 0, (container, depth) => applyEntry(container, change, depth));
}

/** Replaces the element at the end of a path. The last `mayMake` elements of the path are made when they are missing. */
function updateElement(
  element: XmlElement,
  path: readonly string[],
  mayMake: number,
  depth: number,
  update: (element: XmlElement, depth: number) => XmlElement,
): XmlElement {
  const [name, ...rest] = path;
  if (name === undefined) return update(element, depth);
  const child = childElements(element, name)[0];
  if (child !== undefined) {
    const updated = updateElement(child, rest, mayMake, depth + 1, update);
    return updated === child ? element : replaceChild(element, child, updated);
  }
  invariant(path.length <= mayMake, `the router's configuration has <${name}>`);
  const made = updateElement(elementOf(`<${name}></${name}>`), rest, mayMake, depth + 1, update);
  return appendChild(element, made, undefined, depth);
}

function applyEntry(container: XmlElement, change: EntryChange, depth: number): XmlElement {
  const { place, after } = change;
  const elements = childElements(container, place.tag);
  const standing = judgeEntryChange(change, elements.map(parseValue));
  if (standing.kind === 'done') return container;
  invariant(standing.kind === 'ready', `the entry ${change.mark.key} is as it was when the change was planned`);
  const present = standing.index === undefined ? undefined : elements[standing.index];
  if (after === undefined) return present === undefined ? container : removeChild(container, present);
  const made = elementOf(formatValue(place.tag, after, depth + 1));
  if (present !== undefined) return replaceChild(container, present, made);
  return appendChild(container, made, elements.at(-1), depth);
}

function applyFields(section: XmlElement, { before, after }: FieldsChange, depth: number): XmlElement {
  return Object.entries(after).reduce((at, [name, value]) => {
    const present = childElements(at, name)[0];
    const text = present === undefined ? null : parseText(present);
    if (text === value) return at;
    invariant(text === (before[name] ?? null), `the field ${name} is as it was when the change was planned`);
    if (value === null) return present === undefined ? at : removeChild(at, present);
    const made = elementOf(formatValue(name, value, depth + 1));
    return present === undefined ? appendChild(at, made, undefined, depth) : replaceChild(at, present, made);
  }, section);
}

const elementOf = (text: string): XmlElement => parseXml(text).root;

function replaceChild(parent: XmlElement, child: XmlElement, by: XmlElement): XmlElement {
  return { ...parent, children: parent.children.map((node) => (node === child ? by : node)) };
}

/** After a sibling, or after the last element; each on a line of its own with a tab for each level, as pfSense writes. */
function appendChild(
  parent: XmlElement,
  child: XmlElement,
  sibling: XmlElement | undefined,
  depth: number,
): XmlElement {
  const last = sibling ?? parent.children.findLast(isElement);
  const line: XmlNode[] = [{ kind: 'text', source: `\n${'\t'.repeat(depth + 1)}` }, child];
  if (last !== undefined)
    return { ...parent, children: parent.children.toSpliced(parent.children.indexOf(last) + 1, 0, ...line) };
  const closing: XmlNode = { kind: 'text', source: `\n${'\t'.repeat(depth)}` };
  const rest = parent.children.filter((node) => node.kind !== 'text');
  const written = parent.open.replace(/\s*\/>$/, '>');
  const close = parent.close === '' ? `</${/^<([^\s>]+)/.exec(written)?.[1] ?? parent.name}>` : parent.close;
  return { ...parent, open: written, children: [...rest, ...line, closing], close };
}

/** With the white space before it; a parent that is left with nothing but white space is left empty. */
function removeChild(parent: XmlElement, child: XmlElement): XmlElement {
  const index = parent.children.indexOf(child);
  const gap = parent.children[index - 1];
  const hasGap = gap?.kind === 'text' && gap.source.trim() === '';
  const children = parent.children.toSpliced(hasGap ? index - 1 : index, hasGap ? 2 : 1);
  const isBlank = children.every((node) => node.kind === 'text' && node.source.trim() === '');
  return { ...parent, children: isBlank ? [] : children };
}
