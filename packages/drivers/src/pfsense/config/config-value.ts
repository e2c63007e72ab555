// What an element of config.xml means to pfSense: the nested arrays its PHP works with, and how PHP writes them as XML.
import { type XmlElement, XmlProblem, childElements, isElement } from './xml-tree.ts';

export type ConfigValue = string | ConfigMap | readonly ConfigValue[];
/** Keys keep their order. */
export interface ConfigMap {
  readonly [key: string]: ConfigValue;
}

/** The tags pfSense always reads as lists (xmlparse.inc, 2.5.2 to 2.8), as far as they lie in sections that Labwright reads. */
const listTags: ReadonlySet<string> = new Set([
  ...['acls', 'alias', 'ca', 'cert', 'config', 'crl', 'dnsserver', 'domainoverrides', 'gateway_item', 'group', 'hosts'],
  ...['item', 'key', 'member', 'ntpserver', 'option', 'package', 'pool', 'priv', 'route', 'row', 'rule', 'service'],
  ...['staticmap', 'user', 'vip', 'winsserver'],
]);

export function isListTag(tag: string): boolean {
  return listTags.has(tag);
}

/** Tags that pfSense writes as CDATA; it goes by how the name begins (is_cdata_entity). */
const cdataTag = /^(aclname|auth_|cert(ca|name)|descr|detail|email|ldap_|password|rangedescr|state|text|username)/;

export function isMap(value: ConfigValue | undefined): value is ConfigMap {
  return typeof value === 'object' && !Array.isArray(value);
}

function isList(value: ConfigValue | undefined): value is readonly ConfigValue[] {
  return Array.isArray(value);
}

/** The text at a key; empty for what is missing or not text. */
export function textAt(value: ConfigValue | undefined, key: string): string {
  const at = isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return typeof at === 'string' ? at : '';
}

/** The list at the end of a path of keys; empty for what is missing or no list. */
export function listAt(value: ConfigValue | undefined, ...keys: readonly string[]): readonly ConfigValue[] {
  const at = keys.reduce<ConfigValue | undefined>(
    (inner, key) => (isMap(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
    value,
  );
  return isList(at) ? at : [];
}

/** Throws XmlProblem where pfSense itself would refuse the file: a tag that is no list and stands twice. */
export function parseValue(element: XmlElement): ConfigValue {
  const children = childElements(element);
  if (children.length === 0) return parseText(element);
  const map = new Map<string, ConfigValue>();
  for (const child of children) {
    const value = parseValue(child);
    if (listTags.has(child.name)) {
      const list = map.get(child.name);
      map.set(child.name, [...(isList(list) ? list : []), value]);
    } else if (map.has(child.name)) {
      throw new XmlProblem(`<${child.name}> stands twice in <${element.name}>`, 0);
    } else {
      map.set(child.name, value);
    }
  }
  return Object.fromEntries(map);
}

/** The text of an element without child elements. pfSense decodes twice: once as XML, once as HTML. */
export function parseText(element: XmlElement): string {
  const parts = element.children.flatMap((node) => {
    if (isElement(node) || node.kind === 'other') return [];
    return [node.kind === 'cdata' ? node.source.slice('<![CDATA['.length, -']]>'.length) : decodeText(node.source)];
  });
  return decodeText(parts.map((part) => part.replaceAll(/^[\t\n\r]+|[\t\n\r]+$/g, '')).join(''));
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#39': "'" };

/** The five entities of XML and numbers; any other stays as it is written. Nothing is ever expanded twice in one go. */
export function decodeText(text: string): string {
  return text.replaceAll(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{2,4});/gi, (whole, name: string) => {
    const known = entities[name];
    if (known !== undefined) return known;
    if (!name.startsWith('#')) return whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    const isCharacter = code > 0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff);
    return isCharacter ? String.fromCodePoint(code) : whole;
  });
}

export function encodeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** An element as pfSense's dump_xml_config writes it, without white space before and after it. */
export function formatValue(tag: string, value: ConfigValue, depth: number): string {
  if (typeof value === 'string') {
    if (value === '') return `<${tag}></${tag}>`;
    const text = encodeText(value);
    return cdataTag.test(tag) ? `<${tag}><![CDATA[${text}]]></${tag}>` : `<${tag}>${text}</${tag}>`;
  }
  const indent = `\n${'\t'.repeat(depth + 1)}`;
  const entries = isList(value) ? [] : Object.entries(value);
  const lines = entries.flatMap(([key, inner]) => {
    if (!listTags.has(key)) return [formatValue(key, inner, depth + 1)];
    return (isList(inner) ? inner : [inner]).map((item) => formatValue(key, item, depth + 1));
  });
  if (lines.length === 0) return `<${tag}></${tag}>`;
  return `<${tag}>${lines.map((line) => indent + line).join('')}\n${'\t'.repeat(depth)}</${tag}>`;
}

/**
 * A text that two values have in common exactly when they mean the same to pfSense: the order of keys does not count, an
 * empty list or map is the empty text, and an empty element of a list is none. php/common.php has its twin.
 */
export function canonicalValue(value: ConfigValue): string {
  return JSON.stringify(normalValue(value));
}

function normalValue(value: ConfigValue): ConfigValue {
  if (typeof value === 'string') return value;
  if (isList(value)) {
    const items = value.map(normalValue).filter((item) => item !== '');
    return items.length === 0 ? '' : items;
  }
  const keys = Object.keys(value).toSorted();
  if (keys.length === 0) return '';
  return Object.fromEntries(keys.map((key) => [key, normalValue(value[key] ?? '')]));
}
