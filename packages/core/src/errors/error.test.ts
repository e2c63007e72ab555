import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { Secret } from '../ports/secret.ts';
import { asLabwrightError, invariant, LabwrightError } from './error.ts';
import { errorTable, type ErrorCode } from './table.ts';

describe('LabwrightError', () => {
  const error = new LabwrightError('LW2004', {
    what: 'Proxmox refused to create node101',
    where: { call: 'POST /nodes/pve1/qemu' },
    why: 'storage is full',
    fix: ['free some space'],
    log: ['no space left'],
  });

  test('survives the way through JSON', () => {
    const copy = LabwrightError.fromJSON(JSON.parse(JSON.stringify(error)) as ReturnType<LabwrightError['toJSON']>);
    expect(copy.toJSON()).toEqual(error.toJSON());
    expect(copy.kind).toBe('refused');
  });

  test('anything thrown becomes a bug with its cause kept, and ours stays what it is', () => {
    expect(asLabwrightError(error)).toBe(error);
    const cause = new TypeError('x is undefined');
    const bug = asLabwrightError(cause);
    expect([bug.code, bug.message, bug.cause]).toEqual(['LW0001', 'x is undefined', cause]);
    expect(asLabwrightError('text').message).toBe('text');
    expect(asLabwrightError(new Error()).message).toBe('an error without a message');
  });

  test('a file that cannot be used is no bug, and a program that cannot be started is', async () => {
    const denied = await readFile('/dev/null/x').catch((cause: unknown) => asLabwrightError(cause));
    expect(denied).toMatchObject({
      code: 'LW0005',
      message: '/dev/null/x could not be read or written',
      why: 'a part of the path is a file, not a folder',
      fix: ['move that file away'],
    });
    const child = spawn('/nowhere/program');
    const started = await new Promise((resolve) => child.once('error', resolve));
    expect(asLabwrightError(started).code).toBe('LW0001');
  });

  test('an invariant that does not hold is a bug', () => {
    expect(() => invariant(false, 'one is two')).toThrow(expect.objectContaining({ code: 'LW0001' }));
    expect(() => invariant(true, 'one is one')).not.toThrow();
  });

  test('every code belongs to a group and has a title that continues a sentence', () => {
    for (const [code, { title }] of Object.entries(errorTable) as [ErrorCode, { title: string }][]) {
      expect(code).toMatch(/^LW[0-9]\d{3}$/);
      expect(title).not.toMatch(/\.$/);
    }
  });
});

test('a secret prints as dots wherever it ends up', () => {
  const secret = new Secret('hunter2');
  const everywhere = `${String(secret)} ${JSON.stringify({ secret })} ${inspect({ secret })} ${inspect(secret, { showHidden: true })}`;
  expect(everywhere).not.toContain('hunter2');
  expect(secret.reveal()).toBe('hunter2');
});
