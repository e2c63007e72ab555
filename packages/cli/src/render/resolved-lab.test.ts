import { readFile } from 'node:fs/promises';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { resolvedLab, type ResolvedValue } from '@labwright/core/lab/resolved-lab';
import { displayWidth } from '@labwright/core/text/width';
import { describe, expect, test } from 'vitest';
import { formatResolvedLab } from './resolved-lab.ts';

const source = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');

function resolve(fileName: string): readonly ResolvedValue[] {
  const parsed = parseLab(source, fileName);
  if (parsed.lab === undefined) throw new Error('the home example parses');
  return resolvedLab(parsed);
}

describe('the resolved lab', () => {
  test.each([40, 80, 132])('has no line over %i columns, and every value and origin whole', (columns) => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2mV3qv5qYw0pN0x6zjQy8m2yYk1o3w4b5c6d7e8f9g me@a-laptop';
    const long: ResolvedValue = { path: 'ssh.keys[0]', value: key, origin: { kind: 'default' } };
    const values = resolve('a/folder/with/a/long/name/lab.yaml');
    const text = formatResolvedLab([...values, long], { columns });
    expect(text.split('\n').filter((line) => displayWidth(line) > columns)).toEqual([]);
    const squeezed = text.replaceAll(/\s+/g, '');
    for (const { path, value } of [...values, long]) {
      expect(squeezed).toContain(path + value.replaceAll(/\s+/g, ''));
    }
  });

  test('has the value and where it comes from beside its name where there is room', () => {
    const lines = formatResolvedLab(resolve('lab.yaml'), { columns: 80 }).split('\n');
    expect(lines.filter((line) => /^netboot\.httpPort {2,}8080 {2,}default$/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith('    ')).length).toBeLessThan(lines.length / 4);
  });

  test('steers no terminal', () => {
    const value: ResolvedValue = { path: 'domain', value: 'a\u001b[2Jb', origin: { kind: 'default' } };
    expect(formatResolvedLab([value], { columns: 80 })).toBe('domain  a�[2Jb  default\n');
  });
});
