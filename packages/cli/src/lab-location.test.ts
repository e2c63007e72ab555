// Which lab is meant when a file is named and a rehearsal runs.
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseFile, nameForUser } from './lab-location.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lab-location-'));
  await writeFile(join(folder, 'lab.yaml'), '');
  await writeFile(join(folder, 'other.yaml'), '');
  await symlink('lab.yaml', join(folder, 'link.yaml'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('messages call a lab file', () => {
  test.each([
    [undefined, '/home/me/lab.yaml', 'lab.yaml'],
    [undefined, '/home/me/labs/lab.yaml', 'labs/lab.yaml'],
    [undefined, '/srv/lab.yaml', '/srv/lab.yaml'],
    ['./lab.yaml', '/home/me/lab.yaml', './lab.yaml'],
    ['../other/lab.yaml', '/home/other/lab.yaml', '../other/lab.yaml'],
    ['/home/me/lab.yaml', '/home/me/lab.yaml', '/home/me/lab.yaml'],
    ['x.yaml', '/home/me/lab.yaml', 'lab.yaml'],
  ])('--lab %s: %s is %s', (lab, file, name) => {
    const program = { directory: '/home/me', options: lab === undefined ? {} : { lab } };
    expect(nameForUser(program, file)).toBe(name);
  });
});

describe('while a rehearsal of lab.yaml runs', () => {
  const choose = async (lab: string | undefined) =>
    await chooseFile({ directory: folder, options: lab === undefined ? {} : { lab } }, join(folder, 'lab.yaml'));

  test.each([undefined, 'lab.yaml', './lab.yaml', 'link.yaml'])('%s means it', async (lab) => {
    expect(await choose(lab)).toBe('rehearsed');
  });

  test.each(['other.yaml', 'missing.yaml', '../lab.yaml'])('%s is another lab', async (lab) => {
    expect(await choose(lab)).toBe('another');
  });
});
