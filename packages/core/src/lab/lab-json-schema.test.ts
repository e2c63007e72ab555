import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { labJsonSchema, schemasAt, type JsonSchema } from './lab-json-schema.ts';
import { formatLabReference } from './lab-reference.ts';

const root = new URL('../../../../', import.meta.url);

test('the schema beside the home example is the one of this version', async () => {
  const text = await readFile(new URL('examples/home/lab.schema.json', root), 'utf8');
  expect(JSON.parse(text)).toEqual(labJsonSchema());
});

test('docs/lab-file.md is what the schema says', async () => {
  await expect(formatLabReference(labJsonSchema())).toMatchFileSnapshot(new URL('docs/lab-file.md', root).pathname);
});

test('the reference has a section of the keys that each map of a list has', () => {
  expect(formatLabReference(labJsonSchema())).toMatch(
    /^## nas\.NAME\.exports\[\]\n\nFolders [^#]*\| `path` [^#]*\| `for` +\| `volumes`, `snapshots`, `data` +\| required/m,
  );
});

test('every key has a description', () => {
  const without: string[] = [];
  const walk = (schema: JsonSchema, path: string): void => {
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      // The three kinds of a secret are described once, in the introduction of the reference.
      if (inner.description === undefined && !['env', 'file', 'age'].includes(key)) without.push(`${path}.${key}`);
      walk(inner, `${path}.${key}`);
    }
    if (schema.additionalProperties) walk(schema.additionalProperties, `${path}.*`);
    if (schema.items !== undefined) walk(schema.items, `${path}[]`);
    for (const form of schema.anyOf ?? []) walk(form, path);
  };
  walk(labJsonSchema(), '');
  expect(without).toEqual([]);
});

test('a path leads through maps by name, lists and values of several forms', () => {
  const schema = labJsonSchema();
  const keysAt = (...path: (string | number)[]) =>
    schemasAt(schema, path).flatMap(({ properties }) => Object.keys(properties ?? {}));
  expect(keysAt('pools', 'any', 'disk')).toEqual(['size', 'storage']);
  expect(schemasAt(schema, ['networks', 'lan', 'reserved', 3])).toMatchObject([{ type: 'string' }]);
  expect(schemasAt(schema, ['nothing', 'here'])).toEqual([]);
});
