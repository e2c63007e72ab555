import { assert, constantFrom, array, letrec, oneof, property, record, string, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatValue, parseText, parseValue } from './config-value.ts';
import { XmlProblem, childElements, findElement, formatNode, formatXml, parseXml } from './xml-tree.ts';

const sample = `<?xml version="1.0"?>
<!-- made by hand -->
<pfsense>
\t<Version>22.9</Version>
\t<unbound>
\t\t<enable></enable>
\t\t<hosts>
\t\t\t<host>photos</host>
\t\t\t<descr><![CDATA[Anna&#039;s &lt;photos&gt; &amp; more]]></descr>
\t\t</hosts>
\t\t<hosts><host>b</host><note x='1>0' y="a"/></hosts>
\t\t<custom_options/>
\t</unbound>
</pfsense>
`;

/** The text again, where it is refused as well; anything else that is thrown goes through. */
function attempt(text: string): string {
  try {
    return formatXml(parseXml(text));
  } catch (error) {
    if (error instanceof XmlProblem && error.offset >= 0 && error.offset <= text.length) return text;
    throw error;
  }
}

describe('parseXml', () => {
  test('what is read is written back to the character', () => {
    expect(formatXml(parseXml(sample))).toBe(sample);
  });

  test('names are found in lower case, as pfSense reads them', () => {
    const { root } = parseXml(sample);
    expect(root.name).toBe('pfsense');
    expect(parseText(findElement(root, ['version']) ?? root)).toBe('22.9');
    expect(childElements(findElement(root, ['unbound']) ?? root, 'hosts')).toHaveLength(2);
    expect(findElement(root, ['unbound', 'nothing', 'there'])).toBeUndefined();
  });

  const piece = letrec<{ element: string; node: string }>((tie) => ({
    node: oneof(
      { depthSize: 'small' },
      string({ unit: constantFrom('a', ' ', '\t', '\n', '&amp;', '&eacute;', 'é', '€', '"', "'", '>') }),
      constantFrom(
        '<!-- a -- b <x> -->',
        '<![CDATA[ <not> & ]] > ]]>',
        '<?php echo 1; ?>',
        '<e/>',
        '<e  />',
        '<E x="<" />'.replace('<"', '1"'),
      ),
      tie('element'),
    ),
    element: record({
      name: constantFrom('hosts', 'a', 'B', 'x-y', 'descr'),
      space: constantFrom('', ' ', '\n'),
      inner: array(tie('node'), { maxLength: 4 }),
    }).map(({ name, space, inner }) => `<${name}${space}>${inner.join('')}</${name}${space}>`),
  }));

  test('for any well-formed text', () => {
    assert(
      property(
        tuple(constantFrom('', '\uFEFF', '<?xml version="1.0"?>\n', '\n'), piece.element, constantFrom('', '\n')),
        (parts) => {
          const text = parts.join('');
          expect(formatXml(parseXml(text))).toBe(text);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('any text is either read or refused with its place', () => {
    assert(
      property(
        string({ unit: constantFrom('<', '>', '/', 'a', '!', '[', ']', '-', '?', '"', '=', ' ', '&') }),
        (text) => {
          expect(attempt(text)).toBe(text);
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each([
    ['<!DOCTYPE x [<!ENTITY a "b">]><x/>', 'it has a document type, which is never read'],
    ['<a><b></a></b>', '"</a>" closes what is not open'],
    ['<a>', '"<a>" is never closed'],
    ['<a/><b/>', 'it has a second root element'],
    ['text<a/>', 'text stands outside the root element'],
    ['<a><![CDATA[x</a>', '"<![CDATA[" has no end'],
    ['<a x=1/>', 'a "<" begins no tag'],
    ['', 'it has no root element'],
    ['<a>\0</a>', 'it holds a NUL character'],
  ])('%s is refused', (text, message) => {
    expect(() => parseXml(text)).toThrow(message);
  });

  test('size and depth are bounded', () => {
    const bounds = { characters: 200, depth: 3, nodes: 5 };
    expect(() => parseXml('<a><b><c></c></b></a>', bounds)).not.toThrow();
    expect(() => parseXml('<a><b><c><d></d></c></b></a>', bounds)).toThrow('deeper than 3');
    expect(() => parseXml(`<a>${'<b/>'.repeat(6)}</a>`, bounds)).toThrow('more than 5 parts');
    expect(() => parseXml(`<a>${' '.repeat(200)}</a>`, bounds)).toThrow('at most 200 are read');
  });
});

describe('values', () => {
  test('are what pfSense makes of them', () => {
    const unbound = findElement(parseXml(sample).root, ['unbound']);
    expect(unbound && parseValue(unbound)).toEqual({
      enable: '',
      hosts: [
        { host: 'photos', descr: "Anna's <photos> & more" },
        { host: 'b', note: '' },
      ],
      custom_options: '',
    });
  });

  test('a tag that is no list and stands twice is refused, as pfSense does', () => {
    expect(() => parseValue(parseXml('<a><b/><b/></a>').root)).toThrow('<b> stands twice in <a>');
  });

  test('are written as pfSense writes them, and read back the same', () => {
    const value = {
      host: 'web',
      descr: 'labwright:home/main/web <&> "x"',
      aliases: {
        item: [
          { host: 'www', description: '' },
          { host: 'w3', description: '' },
        ],
      },
      empty: {},
    };
    const text = formatValue('hosts', value, 2);
    expect(text).toBe(
      [
        '<hosts>',
        '\t\t\t<host>web</host>',
        '\t\t\t<descr><![CDATA[labwright:home/main/web &lt;&amp;&gt; &quot;x&quot;]]></descr>',
        '\t\t\t<aliases>',
        '\t\t\t\t<item>',
        '\t\t\t\t\t<host>www</host>',
        '\t\t\t\t\t<description></description>',
        '\t\t\t\t</item>',
        '\t\t\t\t<item>',
        '\t\t\t\t\t<host>w3</host>',
        '\t\t\t\t\t<description></description>',
        '\t\t\t\t</item>',
        '\t\t\t</aliases>',
        '\t\t\t<empty></empty>',
        '\t\t</hosts>',
      ].join('\n'),
    );
    const { root } = parseXml(text);
    expect(formatNode(root)).toBe(text);
    expect(parseValue(root)).toEqual({ ...value, empty: '' });
  });
});
