import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LabFileError, readLab } from './read-lab.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lab-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

const home = new URL('../../../../examples/home/lab.yaml', import.meta.url).pathname;

describe('reading a lab file', () => {
  test('gives the lab and the folder that relative paths start in', async () => {
    const { lab, directory } = await readLab(home);
    expect([lab.lab, home.startsWith(directory)]).toEqual(['home', true]);
  });

  test('a file that is not there is LW1001', async () => {
    await expect(readLab(join(directory, 'none.yaml'))).rejects.toMatchObject({
      code: 'LW1001',
      why: 'there is no such file',
    });
  });

  test('a folder, a device and a far too large file are LW1001', async () => {
    await expect(readLab('/dev/zero')).rejects.toMatchObject({
      code: 'LW1001',
      why: 'it is a pipe or a device, not a file',
    });
    await expect(readLab(directory)).rejects.toMatchObject({ code: 'LW1001', why: 'it is a folder' });
    const large = join(directory, 'large.yaml');
    await writeFile(large, Buffer.alloc(3 * 1024 * 1024, '#'));
    await expect(readLab(large)).rejects.toMatchObject({ code: 'LW1001' });
  });

  test('a file with problems is LW1002 with all of them, rendered and as data', async () => {
    const path = join(directory, 'lab.yaml');
    await writeFile(path, 'version: 2\nlab: Home\n');
    const error: unknown = await readLab(path, 'labs/lab.yaml').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LabFileError);
    const { code, message, diagnostics, log } = error as LabFileError;
    expect(code).toBe('LW1002');
    expect(diagnostics.length).toBeGreaterThan(3);
    expect(message).toBe(`${diagnostics.length} problems in labs/lab.yaml; nothing was changed`);
    for (const { position } of diagnostics)
      expect(log.join('\n')).toContain(`labs/lab.yaml:${position.line}:${position.column}`);
  });
});
