// XML-RPC (http://xmlrpc.com/spec.md) as far as pfSense speaks it: calls out, answers in, both strict and bounded.
import { XmlProblem, type XmlBounds, type XmlElement, childElements, isElement, parseXml } from '../config/xml-tree.ts';
import { decodeText, encodeText } from '../config/config-value.ts';

export type RpcValue = string | number | boolean | readonly RpcValue[] | RpcStruct;
export interface RpcStruct {
  readonly [member: string]: RpcValue;
}

export type RpcAnswer =
  | { readonly kind: 'value'; readonly value: RpcValue }
  | { readonly kind: 'fault'; readonly code: number; readonly message: string };

/** The text is not an answer of XML-RPC. */
export class RpcProblem extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'RpcProblem';
  }
}

/** A whole config.xml, compressed and in base64, fits many times. */
export const answerBounds: XmlBounds = { characters: 48 * 1024 * 1024, depth: 32, nodes: 100_000 };

export function formatCall(method: string, parameters: readonly RpcValue[]): string {
  const list = parameters.map((value) => `<param>${formatRpcValue(value)}</param>`).join('');
  return `<?xml version="1.0" encoding="utf-8"?><methodCall><methodName>${encodeText(method)}</methodName><params>${list}</params></methodCall>`;
}

function formatRpcValue(value: RpcValue): string {
  const inner = ((): string => {
    if (typeof value === 'string') return `<string>${encodeText(value)}</string>`;
    if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
    if (typeof value === 'number') return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
    if (isRpcList(value)) return `<array><data>${value.map(formatRpcValue).join('')}</data></array>`;
    const members = Object.entries(value).map(
      ([name, member]) => `<member><name>${encodeText(name)}</name>${formatRpcValue(member)}</member>`,
    );
    return `<struct>${members.join('')}</struct>`;
  })();
  return `<value>${inner}</value>`;
}

const isRpcList = (value: RpcValue): value is readonly RpcValue[] => Array.isArray(value);

/** Throws RpcProblem for anything that is not one answer with one value, or one fault. */
export function parseRpcAnswer(text: string, bounds: XmlBounds = answerBounds): RpcAnswer {
  const root = ((): XmlElement => {
    try {
      return parseXml(text, bounds).root;
    } catch (error) {
      if (error instanceof XmlProblem) throw new RpcProblem(`it is no XML: ${error.message}`, error);
      throw error;
    }
  })();
  if (root.name !== 'methodresponse') throw new RpcProblem(`it begins with <${root.name}>`);
  const inner = onlyChild(root);
  if (inner.name === 'fault') return parseFault(parseRpcValue(onlyChild(inner, 'value')));
  if (inner.name !== 'params') throw new RpcProblem(`it holds <${inner.name}>`);
  return { kind: 'value', value: parseRpcValue(onlyChild(onlyChild(inner, 'param'), 'value')) };
}

function parseFault(value: RpcValue): RpcAnswer {
  const { faultCode: code, faultString: message } = isStruct(value) ? value : {};
  if (typeof code !== 'number' || typeof message !== 'string') throw new RpcProblem('a fault has no code or no text');
  return { kind: 'fault', code, message };
}

export function isStruct(value: RpcValue): value is RpcStruct {
  return typeof value === 'object' && !Array.isArray(value);
}

function parseRpcValue(element: XmlElement): RpcValue {
  const [typed, ...more] = childElements(element);
  if (typed === undefined) return textOf(element);
  if (more.length > 0) throw new RpcProblem('a value has two types');
  const text = (): string => textOf(typed);
  switch (typed.name) {
    case 'string':
      return text();
    case 'int':
    case 'i4':
      return parseNumber(text(), /^[+-]?\d{1,10}$/);
    case 'double':
      return parseNumber(text(), /^[+-]?\d{1,20}(\.\d{1,20})?$/);
    case 'boolean':
      if (text() !== '0' && text() !== '1') throw new RpcProblem('a boolean is neither 0 nor 1');
      return text() === '1';
    case 'array':
      return childElements(onlyChild(typed, 'data')).map((item) => parseRpcValue(named(item, 'value')));
    case 'struct':
      return parseStruct(typed);
    default:
      throw new RpcProblem(`<${typed.name}> is no type that pfSense answers with`);
  }
}

function parseStruct(struct: XmlElement): RpcStruct {
  const members = new Map<string, RpcValue>();
  for (const member of childElements(struct)) {
    const [name, value, ...more] = childElements(named(member, 'member'));
    if (name === undefined || value === undefined || more.length > 0)
      throw new RpcProblem('a member is not a name and a value');
    const key = textOf(named(name, 'name'));
    if (members.has(key)) throw new RpcProblem(`the member ${key} stands twice`);
    members.set(key, parseRpcValue(named(value, 'value')));
  }
  return Object.fromEntries(members);
}

function parseNumber(text: string, pattern: RegExp): number {
  if (!pattern.test(text)) throw new RpcProblem(`"${text.slice(0, 40)}" is no number`);
  return Number(text);
}

function onlyChild(element: XmlElement, name?: string): XmlElement {
  const [child, ...more] = childElements(element);
  if (child === undefined || more.length > 0) throw new RpcProblem(`<${element.name}> does not hold one element`);
  return name === undefined ? child : named(child, name);
}

function named(element: XmlElement, name: string): XmlElement {
  if (element.name !== name) throw new RpcProblem(`<${element.name}> stands where <${name}> should`);
  return element;
}

function textOf(element: XmlElement): string {
  const parts = element.children.map((node) => {
    if (isElement(node)) throw new RpcProblem(`<${node.name}> stands inside a text`);
    if (node.kind === 'cdata') return node.source.slice('<![CDATA['.length, -']]>'.length);
    return node.kind === 'text' ? decodeText(node.source) : '';
  });
  return parts.join('');
}
