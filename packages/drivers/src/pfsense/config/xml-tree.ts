// A router's config.xml as an ordered tree that keeps every character: what is not touched is written back as it was read.

//   document  = before root after          (XML declaration, comments, white space)
//   element   = open children close        "<hosts>" … "</hosts>", or "<a/>" and nothing
//   text      = what stands between tags, CDATA sections and comments with their brackets
// formatXml puts the pieces together again, so for any text that parses, formatXml(parseXml(text)) is that text.

export interface XmlElement {
  readonly kind: 'element';
  /** Lower case, as pfSense reads it; `open` has it as it was written. */
  readonly name: string;
  readonly open: string;
  readonly children: readonly XmlNode[];
  /** Empty for a self-closing element. */
  readonly close: string;
}

export interface XmlText {
  /** 'other' is a comment or a processing instruction. */
  readonly kind: 'text' | 'cdata' | 'other';
  readonly source: string;
}

export type XmlNode = XmlElement | XmlText;

export interface XmlDocument {
  readonly before: string;
  readonly root: XmlElement;
  readonly after: string;
}

export interface XmlBounds {
  readonly characters: number;
  readonly depth: number;
  readonly nodes: number;
}

/** pfSense with thousands of aliases and its certificates stays below 5 MB. */
export const configBounds: XmlBounds = { characters: 32 * 1024 * 1024, depth: 64, nodes: 2_000_000 };

/** The text is not what parseXml takes; the offset counts UTF-16 units from 0. */
export class XmlProblem extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'XmlProblem';
    this.offset = offset;
  }
}

const nameSource = '[A-Za-z_:][A-Za-z0-9_:.-]*';
const openTag = new RegExp(`<(${nameSource})(?:\\s+${nameSource}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*\\s*(/?)>`, 'y');
const closeTag = new RegExp(`</(${nameSource})\\s*>`, 'y');

/** What begins with "<" and is no tag, with the end that belongs to it. A DTD is refused: it could define entities. */
const brackets = [
  { start: '<!--', end: '-->', kind: 'other' },
  { start: '<![CDATA[', end: ']]>', kind: 'cdata' },
  { start: '<?', end: '?>', kind: 'other' },
] as const;

interface OpenElement {
  readonly name: string;
  readonly written: string;
  readonly open: string;
  readonly offset: number;
  readonly children: XmlNode[];
}

/** Throws XmlProblem for what is not well-formed, has a DTD, or is larger or deeper than the bounds. */
export function parseXml(text: string, bounds: XmlBounds = configBounds): XmlDocument {
  if (text.length > bounds.characters) {
    throw new XmlProblem(`it has ${text.length} characters; at most ${bounds.characters} are read`, bounds.characters);
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new XmlProblem('it holds a NUL character', nul);

  const stack: OpenElement[] = [];
  let root: XmlElement | undefined;
  let before = '';
  let after = '';
  let nodes = 0;

  const place = (node: XmlNode, offset: number): void => {
    nodes += 1;
    if (nodes > bounds.nodes) throw new XmlProblem(`it has more than ${bounds.nodes} parts`, offset);
    const parent = stack.at(-1);
    if (parent !== undefined) {
      parent.children.push(node);
      return;
    }
    if (node.kind === 'element') {
      if (root !== undefined) throw new XmlProblem('it has a second root element', offset);
      root = node;
      return;
    }
    if (node.kind === 'cdata' || (node.kind === 'text' && node.source.replace('\uFEFF', '').trim() !== '')) {
      throw new XmlProblem('text stands outside the root element', offset);
    }
    if (root === undefined) before += node.source;
    else after += node.source;
  };

  let offset = 0;
  while (offset < text.length) {
    const begin = offset;
    if (text[offset] !== '<') {
      const next = text.indexOf('<', offset);
      offset = next < 0 ? text.length : next;
      place({ kind: 'text', source: text.slice(begin, offset) }, begin);
      continue;
    }
    const bracket = brackets.find(({ start }) => text.startsWith(start, begin));
    if (bracket !== undefined) {
      const end = text.indexOf(bracket.end, begin + bracket.start.length);
      if (end < 0) throw new XmlProblem(`"${bracket.start}" has no end`, begin);
      offset = end + bracket.end.length;
      place({ kind: bracket.kind, source: text.slice(begin, offset) }, begin);
      continue;
    }
    if (text.startsWith('<!', begin)) throw new XmlProblem('it has a document type, which is never read', begin);
    closeTag.lastIndex = begin;
    const closing = closeTag.exec(text);
    if (closing !== null) {
      offset = closeTag.lastIndex;
      const element = stack.pop();
      if (element === undefined || element.written !== closing[1]) {
        throw new XmlProblem(`"${closing[0]}" closes what is not open`, begin);
      }
      const { name, open, children } = element;
      place({ kind: 'element', name, open, children, close: closing[0] }, begin);
      continue;
    }
    openTag.lastIndex = begin;
    const opening = openTag.exec(text);
    if (opening === null) throw new XmlProblem('a "<" begins no tag', begin);
    offset = openTag.lastIndex;
    const [open, written = '', slash] = opening;
    const name = written.toLowerCase();
    if (stack.length >= bounds.depth) throw new XmlProblem(`it is deeper than ${bounds.depth} elements`, begin);
    if (slash === '/') place({ kind: 'element', name, open, children: [], close: '' }, begin);
    else stack.push({ name, written, open, offset: begin, children: [] });
  }
  const unclosed = stack.at(-1);
  if (unclosed !== undefined) throw new XmlProblem(`"${unclosed.open}" is never closed`, unclosed.offset);
  if (root === undefined) throw new XmlProblem('it has no root element', text.length);
  return { before, root, after };
}

export function formatXml(document: XmlDocument): string {
  return document.before + formatNode(document.root) + document.after;
}

export function formatNode(node: XmlNode): string {
  if (node.kind !== 'element') return node.source;
  return node.open + node.children.map(formatNode).join('') + node.close;
}

export function isElement(node: XmlNode): node is XmlElement {
  return node.kind === 'element';
}

export function childElements(element: XmlElement, name?: string): readonly XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement => child.kind === 'element' && (name === undefined || child.name === name),
  );
}

/** The element at the end of a path of names, the first of each name; undefined when one is missing. */
export function findElement(element: XmlElement, path: readonly string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>(
    (at, name) => (at === undefined ? undefined : childElements(at, name)[0]),
    element,
  );
}
