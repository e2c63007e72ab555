import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { explainError, formatErrorsDocument, isErrorCode } from './explain.ts';
import { errorGuide } from './guide.ts';
import { errorTable, type ErrorCode } from './table.ts';

const document = new URL('../../../../docs/errors.md', import.meta.url);

describe('docs/errors.md', () => {
  test('is what the table and the guide say', async () => {
    await expect(formatErrorsDocument()).toMatchFileSnapshot(document.pathname);
  });

  test('has a section for every code of the table, and no other', async () => {
    const text = await readFile(document, 'utf8');
    const sections = [...text.matchAll(/^### (LW\d{4}): (.+)$/gm)].map(([, code, title]) => `${code}: ${title}`);
    const rows = Object.entries(errorTable).map(([code, { title }]) => `${code}: ${title}`);
    expect(sections.toSorted()).toEqual(rows.toSorted());
  });
});

describe('explain', () => {
  test('tells title, kind, meaning and advice', () => {
    expect(explainError('LW1003')).toBe(
      [
        'LW1003  a secret could not be read',
        '',
        'kind: config (the lab file)',
        '',
        'The lab file names a secret ("{env: NAME}", "{file: PATH}" or "{age: KEY}") that',
        'is not there, is empty, or is a file that others may read.',
        '',
        'what to do',
        '  - For "env": set the variable in the shell, or in the service’s environment',
        '    file.',
        '  - For "file": "chmod 600 PATH"; Labwright refuses secrets that other users can',
        '    read.',
        '  - For "age": check that the identity file opens the secrets file and that the',
        '    key is in it.',
        '',
      ].join('\n'),
    );
  });

  test('every code has advice, and no guide is left over', () => {
    expect(Object.keys(errorGuide).toSorted()).toEqual(Object.keys(errorTable).toSorted());
    for (const code of Object.keys(errorTable) as ErrorCode[]) expect(errorGuide[code].advice).not.toHaveLength(0);
  });

  test.each(['LW9999', 'toString', 'lw1002', ''])('%j is no code', (text) => {
    expect(isErrorCode(text)).toBe(false);
  });
});
