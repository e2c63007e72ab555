// For tests: configurations of routers as fast-check draws them, and edits of any part of one, as a person's pages make them.
import {
  type Arbitrary,
  array,
  constant,
  constantFrom,
  integer,
  letrec,
  oneof,
  option,
  record,
  shuffledSubarray,
  tuple,
} from 'fast-check';
import { parseValue } from './config/config-value.ts';
import { type XmlDocument, type XmlElement, XmlProblem, formatXml, isElement, parseXml } from './config/xml-tree.ts';

const settings = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Marks of ours, of another cluster and lab, damaged ones, and what persons write. */
const descriptions = [
  ...['', 'Holiday &amp; family', 'labwright', 'a&#228;&#10;b', '&lt;b&gt;', ' labwright:home/main/s1'],
  ...['labwright:home/main/s1', 'labwright:home/main/s2', 'labwright:home/main/s7', 'labwright:home/main/boot.lan'],
  ...['labwright:home/main/s1!', 'labwright:home/main/', 'labwright:HOME/main/s1', 'labwright:home/main/s1 (my copy)'],
  ...['labwright:home/second/s1', 'labwright:home+rehearsal/main/s1', 'labwright:other/main/s1'],
];

/** What stands in fields: some of it is what our own entries want as well. */
const fields: Readonly<Record<string, readonly string[]>> = {
  host: ['s1', 's2', 'photos', 'S3', ''],
  domain: ['svc', 'lab.test', ''],
  ip: ['192.0.2.201', '192.0.2.40,2001:db8::40', 'any', ''],
  descr: descriptions,
  advanced_backend: ['', ...descriptions.map((text) => settings(`# ${text}\noption redispatch 1`)), 'not base64 !'],
  mac: ['02:00:5e:00:01:01', '02:00:5e:00:00:99'],
  ipaddr: ['192.0.2.21', '192.0.2.60'],
  hostname: ['node1', 'printer'],
  name: ['lw-s1', 'lw-s2', 'family'],
  subnet: ['192.0.2.201', '192.0.2.9'],
  mode: ['carp', 'ipalias'],
  type: ['http', 'tcp'],
  status: ['active', 'disabled'],
  note: ['', settings('{"set":{},"was":{}}'), settings('{"set":{"nextserver":"192.0.2.5"},"was":{"nextserver":""}}')],
  nextserver: ['', '192.0.2.5', '192.0.2.77'],
  filename: ['', 'pxelinux.0'],
  filename64: ['', 'ipxe.efi'],
  netboot: [''],
  enable: [''],
  custom_options: ['', 'c2VydmVyOg=='],
  unknown: ['', '0', 'a  b', '&quot;&#039;'],
};

/** One way to write a field: pfSense itself uses the first two. */
function written(name: string, text: string): Arbitrary<string> {
  return constantFrom(
    `<${name}>${text}</${name}>`,
    `<${name}><![CDATA[${text}]]></${name}>`,
    ...(text === '' ? [`<${name}/>`, `<${name} />`] : [`<${name}>\n\t${text}\n</${name}>`]),
    `<${name} made="by hand">${text}</${name}>`,
    `<${name.toUpperCase()}>${text}</${name.toUpperCase()}>`,
  );
}

function anyField(name: string): Arbitrary<string> {
  return constantFrom(...(fields[name] ?? [''])).chain((text) => written(name, text));
}

/** A few of these fields, each at most once, in any order. */
function someFields(...names: readonly string[]): Arbitrary<readonly string[]> {
  return shuffledSubarray([...names, 'unknown']).chain((chosen) => tuple(...chosen.map(anyField)));
}

const gap = constantFrom('', '\n', '\n\t\t', ' ', '<!-- a person was here -->', '\n\n<?note 1?>');

const element = (name: string, inner: Arbitrary<readonly string[]>): Arbitrary<string> =>
  tuple(inner, gap, gap).map(([parts, before, between]) => {
    return parts.length === 0 ? `<${name}/>` : `<${name}>${before}${parts.join(between)}${between}</${name}>`;
  });

/** A container: fields of its own, and entries among them. */
const container = (name: string, own: readonly string[], ...entries: readonly Arbitrary<string>[]): Arbitrary<string> =>
  element(
    name,
    tuple(someFields(...own), array(oneof(constant(''), ...entries), { maxLength: 5 })).chain(([before, after]) =>
      shuffledSubarray([...before, ...after], { minLength: before.length + after.length }),
    ),
  );

const server = element('item', someFields('name', 'status', 'ipaddr'));
const item = element('item', someFields('name', 'descr', 'advanced_backend', 'type', 'status'));
const host = tuple(
  someFields('host', 'domain', 'ip', 'descr'),
  option(element('aliases', array(element('item', someFields('host', 'domain')), { maxLength: 2 }))),
).map(([inner, aliases]) => `<hosts>${[...inner, aliases ?? ''].join('\n')}</hosts>`);
const override = element('domainoverrides', someFields('domain', 'ip', 'descr'));
const lease = element('staticmap', someFields('mac', 'ipaddr', 'hostname', 'descr', 'nextserver', 'netboot'));
const pool = element('pool', someFields('descr'));
const section = container('lan', ['enable', 'nextserver', 'filename', 'filename64', 'netboot'], lease, pool);

/** Sections that are never ours, as deep and as odd as they come. */
const foreign = letrec<{ node: string }>((tie) => ({
  node: oneof(
    { depthSize: 'small' },
    constantFrom('<a/>', '<b></b>', '<descr><![CDATA[labwright:home/main/s1]]></descr>', '<Flag  />'),
    element('item', array(tie('node'), { maxLength: 1 })),
  ),
})).node;

const sections: readonly Arbitrary<string>[] = [
  constant('<interfaces><lan><enable/><ipaddr>192.0.2.1</ipaddr></lan><opt1><enable/></opt1></interfaces>'),
  constant('<system><hostname>gateway</hostname><domain>lab.test</domain></system>'),
  container('unbound', ['enable', 'custom_options'], host, override),
  container('dnsmasq', ['enable', 'custom_options'], host, override),
  element('dhcpd', tuple(section)),
  container('virtualip', [], element('vip', someFields('mode', 'subnet', 'descr', 'type'))),
  element(
    'installedpackages',
    tuple(
      element(
        'haproxy',
        tuple(
          container('ha_backends', [], item),
          container(
            'ha_pools',
            [],
            item,
            element('item', tuple(element('ha_servers', array(server, { maxLength: 2 })))),
          ),
        ),
      ),
      container('labwright', [], element('config', someFields('descr', 'note'))),
    ).chain((parts) => shuffledSubarray(parts)),
  ),
  element('shaper', array(foreign, { maxLength: 1 })),
];

/** Whether pfSense could read it: a tag that is no list stands once. */
function isReadable(text: string): boolean {
  try {
    parseValue(parseXml(text).root);
    return true;
  } catch (error) {
    if (error instanceof XmlProblem) return false;
    throw error;
  }
}

/** The text of any config.xml that pfSense could read, with sections missing, empty, out of order and oddly written. */
export const anyConfig: Arbitrary<string> = shuffledSubarray([...sections], { minLength: 2 })
  .chain((chosen) => tuple(constantFrom('', '<?xml version="1.0"?>\n', '\uFEFF<!-- top -->\n'), gap, tuple(...chosen)))
  .map(([top, between, parts]) => `${top}<pfsense>${between}${parts.join(between)}\n</pfsense>${between.trim()}\n`)
  .filter(isReadable);

/** An edit of any element of a configuration: `at` counts through them in their order, and begins anew at the end. */
export interface HandEdit {
  readonly at: number;
  readonly kind: 'remove' | 'twice' | 'empty' | 'before' | 'inside' | 'text';
  readonly text: string;
}

export const anyEdit: Arbitrary<HandEdit> = record({
  at: integer({ min: 0, max: 400 }),
  kind: constantFrom('remove', 'twice', 'empty', 'before', 'inside', 'text'),
  text: oneof(
    host,
    item,
    lease,
    element('vip', someFields('mode', 'subnet', 'descr')),
    anyField('descr'),
    anyField('unknown'),
    constant('<!-- and here -->'),
  ),
});

/** The text with the edit made; as it was where pfSense could not read the outcome. */
export function editByHand(text: string, edit: HandEdit): string {
  const document = parseXml(text);
  const all = elementsOf(document.root);
  const chosen = all[edit.at % all.length] ?? document.root;
  if (chosen === document.root && edit.kind !== 'inside') return text;
  const edited = formatXml({ ...document, root: editElement(document.root, chosen, edit) });
  return isReadable(edited) ? edited : text;
}

function elementsOf(root: XmlElement): readonly XmlElement[] {
  return [root, ...root.children.filter(isElement).flatMap(elementsOf)];
}

function editElement(root: XmlElement, chosen: XmlElement, { kind, text }: HandEdit): XmlElement {
  const made: XmlDocument = parseXml(`<x>${text}</x>`);
  const change = (node: XmlElement): XmlElement['children'] => {
    switch (kind) {
      case 'remove':
        return [];
      case 'twice':
        return [node, node];
      case 'empty':
        return [withChildren(node, [])];
      case 'before':
        return [...made.root.children, node];
      case 'inside':
        return [withChildren(node, [...node.children, ...made.root.children])];
      case 'text':
        return node.children.some(isElement) ? [node] : [withChildren(node, [{ kind: 'text', source: '192.0.2.99' }])];
    }
  };
  const walk = (node: XmlElement): XmlElement => ({
    ...node,
    children: node.children.flatMap((child) =>
      child === chosen ? change(chosen) : isElement(child) ? [walk(child)] : [child],
    ),
  });
  if (chosen !== root) return walk(root);
  return withChildren(root, [...root.children, ...made.root.children]);
}

function withChildren(element: XmlElement, children: XmlElement['children']): XmlElement {
  if (element.close !== '') return { ...element, children };
  const open = element.open.replace(/\s*\/>$/, '>');
  return { ...element, open, children, close: `</${/^<([^\s>]+)/.exec(open)?.[1] ?? element.name}>` };
}
