// Reads YAML text into a plain value and remembers where each part stands; syntax errors become diagnostics.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
  type ParsedNode,
  type YAMLMap,
} from 'yaml';
import { formatPath, type Diagnostic, type LabPath, type Place, type Position, type Positions } from './diagnostic.ts';

/** A lab file is written by a person; anything larger is a mistake or an attack. */
export const maxSourceLength = 256 * 1024;
const maxDepth = 32;
/** Values after aliases are expanded; stops "billion laughs". */
const maxNodes = 100_000;
/** Each is looked up in the whole document. */
const maxAliases = 100;
const maxSyntaxDiagnostics = 20;

export interface LabDocument {
  /** Plain objects, arrays and scalars; undefined when the syntax is broken. */
  readonly value: unknown;
  readonly diagnostics: readonly Diagnostic[];
  readonly positions: Positions;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

export function parseLabDocument(source: string, fileName: string): LabDocument {
  const lines = new LineCounter();
  const toPosition = (span: Span): Position => positionOfSpan(span, source, lines, fileName);
  const nowhere: Positions = {
    file: fileName,
    positionOf: () => ({ file: fileName, line: 1, column: 1, length: 1 }),
    has: () => false,
  };
  const atTop = (message: string, fix: string): LabDocument => ({
    value: undefined,
    diagnostics: [
      { severity: 'error', path: [], position: nowhere.positionOf({ path: [] }), message, fix, related: [] },
    ],
    positions: nowhere,
  });

  if (source.length > maxSourceLength) {
    const limit = `at most ${maxSourceLength / 1024} KiB are read`;
    return atTop(`the file has ${Math.ceil(source.length / 1024)} KiB; ${limit}`, 'is this the right file?');
  }
  let document: Document.Parsed;
  try {
    document = parseDocument(source, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false,
      logLevel: 'error',
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return atTop('the file is nested too deeply to be read', 'is this the right file?');
  }
  // A tag that YAML does not know is only a warning there; in a lab file it means something nobody will act on.
  const syntax = atOpenQuotes([...document.errors, ...document.warnings], document);
  if (syntax.length > 0) {
    return { value: undefined, diagnostics: syntaxDiagnostics(syntax, toPosition), positions: nowhere };
  }
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) {
    return atTop('the file is empty', 'start with: version: 1');
  }
  const reader = new NodeReader(document, toPosition);
  const value = reader.read(root, [], 0);
  const failed = reader.diagnostics.some((diagnostic) => diagnostic.path.length === 0);
  return {
    value: failed ? undefined : value,
    diagnostics: reader.diagnostics,
    positions: positionsOf(document, fileName, toPosition),
  };
}

/** One pass over the nodes: plain values out, duplicate keys and bombs as diagnostics. */
class NodeReader {
  readonly diagnostics: Diagnostic[] = [];
  readonly #document: Document.Parsed;
  readonly #toPosition: (span: Span) => Position;
  #nodes = 0;
  #aliases = 0;
  #stopped = false;

  constructor(document: Document.Parsed, toPosition: (span: Span) => Position) {
    this.#document = document;
    this.#toPosition = toPosition;
  }

  read(node: Node | null | undefined, path: LabPath, depth: number): unknown {
    if (this.#stopped || node === null || node === undefined) return null;
    this.#nodes += 1;
    if (this.#nodes > maxNodes) {
      return this.#stop(node, `the file has more than ${maxNodes} values`, 'is this the right file?');
    }
    if (depth > maxDepth) return this.#stop(node, `values are nested more than ${maxDepth} deep`, 'nest less');
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > maxAliases) {
        return this.#stop(node, `the file has more than ${maxAliases} aliases`, 'write the values out');
      }
      const target = node.resolve(this.#document);
      if (target === undefined) {
        return this.#stop(node, `*${node.source} names an anchor that is not set before it`, `write &${node.source}`);
      }
      return this.read(target, path, depth + 1);
    }
    if (isMap(node)) return this.#readMap(node.items, path, depth);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item as Node, [...path, index], depth + 1));
    return isScalar(node) ? node.value : null;
  }

  #readMap(pairs: readonly Pair[], path: LabPath, depth: number): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const seen = new Map<string, Node>();
    for (const { key: keyNode, value: valueNode } of pairs) {
      const key = keyOf(keyNode);
      const first = seen.get(key);
      if (first !== undefined) {
        this.#report(keyNode as Node, [...path, key], {
          message: `"${formatPath([...path, key])}" is written twice`,
          label: 'the second time',
          fix: 'keep one of the two',
          related: [{ path: [...path, key], position: this.#toPosition(spanOf(first)), message: 'the first time' }],
        });
        continue;
      }
      if (key === '__proto__') {
        this.#report(keyNode as Node, [...path, key], {
          message: `"${key}" cannot be a name here`,
          fix: 'choose another name',
          related: [],
        });
        continue;
      }
      seen.set(key, keyNode as Node);
      value[key] = this.read(valueNode as Node | null, [...path, key], depth + 1);
    }
    return value;
  }

  #report(node: Node, path: LabPath, finding: Omit<Diagnostic, 'severity' | 'path' | 'position'>): void {
    this.diagnostics.push({ severity: 'error', path, position: this.#toPosition(spanOf(node)), ...finding });
  }

  #stop(node: Node, message: string, fix: string): null {
    this.#stopped = true;
    this.#report(node, [], { message, fix, related: [] });
    return null;
  }
}

function positionsOf(document: Document.Parsed, file: string, toPosition: (span: Span) => Position): Positions {
  const indexes = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();
  const pairsOf = (map: YAMLMap): ReadonlyMap<string, Pair> => {
    // Of a key that is written twice the first counts, as in the value.
    const index = indexes.get(map) ?? new Map(map.items.toReversed().map((pair) => [keyOf(pair.key), pair]));
    indexes.set(map, index);
    return index;
  };
  const find = ({ path, part }: Place): { span: Span; exact: boolean } => {
    let node = resolveAlias(document.contents, document);
    let key: Node | undefined;
    for (const step of path) {
      let next: Node | null | undefined;
      let nextKey: Node | undefined;
      if (isMap(node)) {
        const pair = pairsOf(node).get(String(step));
        if (pair === undefined) return { span: spanOf(key ?? firstKey(node)), exact: false };
        nextKey = pair.key as Node;
        next = (pair.value as Node | null) ?? nextKey;
      } else if (isSeq(node)) {
        next = node.items[Number(step)] as Node | undefined;
      }
      if (next === undefined) return { span: spanOf(node ?? key), exact: false };
      key = nextKey;
      node = resolveAlias(next, document);
    }
    // A map or list would underline a whole block: its name says more.
    const useKey = key !== undefined && (part === 'key' || isMap(node) || isSeq(node));
    return { span: spanOf(useKey ? key : isMap(node) ? firstKey(node) : node), exact: true };
  };
  return {
    file,
    positionOf: (place) => toPosition(find(place).span),
    has: (path) => find({ path }).exact,
  };
}

function resolveAlias(node: Node | null | undefined, document: Document.Parsed): Node | null | undefined {
  return isAlias(node) ? node.resolve(document) : node;
}

function firstKey(map: Node): Node {
  if (!isMap(map)) return map;
  return (map.items[0]?.key as Node | undefined) ?? map;
}

function keyOf(node: unknown): string {
  if (!isScalar(node)) return '';
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}

function spanOf(node: Node | null | undefined): Span {
  const range = (node as ParsedNode | null | undefined)?.range;
  return range ? { start: range[0], end: range[1] } : { start: 0, end: 1 };
}

function positionOfSpan(span: Span, source: string, lines: LineCounter, file: string): Position {
  const { line, col } = lines.linePos(span.start);
  const lineEnd = source.indexOf('\n', span.start);
  const end = Math.min(span.end, lineEnd === -1 ? source.length : lineEnd);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1), length: Math.max(end - span.start, 1) };
}

interface SyntaxFinding {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

/**
 * A quote that is not closed is found where the text ends that it takes in, which may be the end of the file: it is told where it
 * opens, and what else is found after that is a consequence.
 */
function atOpenQuotes(findings: readonly SyntaxFinding[], document: Document.Parsed): readonly SyntaxFinding[] {
  const open = findings.find(({ code, message }) => code === 'MISSING_CHAR' && message.endsWith('quote'));
  if (open === undefined) return findings;
  const at = open.pos[0];
  let span: Span | undefined;
  visit(document, {
    Scalar: (_, { type, range }) => {
      if (type !== 'QUOTE_DOUBLE' && type !== 'QUOTE_SINGLE') return undefined;
      if (!range || range[0] >= at || range[1] < at) return undefined;
      span = { start: range[0], end: range[1] };
      return visit.BREAK;
    },
  });
  if (span === undefined) return findings;
  const { start, end } = span;
  const code = open.message.includes('"') ? 'OPEN_DOUBLE_QUOTE' : 'OPEN_SINGLE_QUOTE';
  return [...findings.filter(({ pos }) => pos[0] < start), { code, message: open.message, pos: [start, end] }];
}

/** One a line: what follows on the same line is nearly always a consequence. */
function syntaxDiagnostics(findings: readonly SyntaxFinding[], toPosition: (span: Span) => Position): Diagnostic[] {
  const byLine = new Map<number, Diagnostic>();
  const tabs = findings.filter(({ code }) => code === tabCode);
  const [firstTab] = tabs;
  if (firstTab !== undefined) {
    // With lines that do not stand where they seem to, everything else is a consequence; and so is the next tab.
    const lines = new Set(tabs.map(({ pos }) => toPosition({ start: pos[0], end: pos[1] }).line));
    const message = lines.size === 1 ? 'a line is indented by a tab' : `${lines.size} lines are indented by tabs`;
    const position = toPosition({ start: firstTab.pos[0], end: firstTab.pos[1] });
    const fix = 'indent with spaces; an editor can turn all tabs into spaces';
    return [{ severity: 'error', path: [], position, message: `this is not YAML: ${message}`, fix, related: [] }];
  }
  for (const { code, message, pos } of findings) {
    const position = toPosition({ start: pos[0], end: pos[1] });
    if (byLine.has(position.line)) continue;
    const known = syntaxHints[code];
    byLine.set(position.line, {
      severity: 'error',
      path: [],
      position,
      message: `this is not YAML: ${known?.message ?? lowerFirst(message)}`,
      ...(known?.label === undefined ? {} : { label: known.label }),
      fix: known?.fix ?? 'look at the indentation, colons and quotes of this line and of the one before it',
      related: [],
    });
    if (byLine.size >= maxSyntaxDiagnostics) break;
  }
  return [...byLine.values()];
}

const tabCode = 'TAB_AS_INDENT';

/** For the mistakes people make most; YAML's own words for the rest. */
const syntaxHints: Readonly<
  Record<string, { readonly message: string; readonly label?: string; readonly fix: string }>
> = {
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'two keys stand on one line',
    fix: 'put the second on a line of its own, or quote a value that contains ": "',
  },
  MISSING_CHAR: { message: 'a closing quote, bracket or colon is missing', fix: 'close what was opened on this line' },
  OPEN_DOUBLE_QUOTE: { message: 'a quote is not closed', label: 'it opens here', fix: 'write " where the value ends' },
  OPEN_SINGLE_QUOTE: { message: 'a quote is not closed', label: 'it opens here', fix: "write ' where the value ends" },
  MULTIPLE_DOCS: { message: 'a second document starts here', fix: 'remove the line ---; a lab is one document' },
  TAG_RESOLVE_FAILED: { message: 'a value starts with an unknown !tag', fix: 'remove the tag, or quote the value' },
  RESOURCE_EXHAUSTION: { message: 'values are nested too deeply', fix: 'is this the right file?' },
  NON_STRING_KEY: { message: 'a key is a list or a map', fix: 'write a plain name before the colon' },
};

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
