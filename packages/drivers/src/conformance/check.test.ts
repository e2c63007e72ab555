import { LabwrightError } from '@labwright/core/errors/error';
import { expect, test } from 'vitest';
import { type Check, runChecks } from './check.ts';
import type { Observation } from './observation.ts';

const { signal } = new AbortController();
const fine = { kind: 'answer', fields: { a: 'string' }, isRead: true } as const satisfies Observation;

function check(name: string, changes: Partial<Check<string[]>> = {}): Check<string[]> {
  const run = (ran: string[]): Promise<Observation> => {
    ran.push(name);
    return Promise.resolve(fine);
  };
  return { appliance: 'proxmox', name, call: 'GET /x', kind: 'read', run, ...changes };
}

async function run(checks: readonly Check<string[]>[], allowed: readonly string[] = []) {
  const ran: string[] = [];
  const reports = await runChecks(checks, {
    context: ran,
    emulated: { 'proxmox/a': fine, 'proxmox/b': { ...fine, fields: { a: 'number' } } },
    consent: ({ name }) => Promise.resolve(allowed.includes(name)),
    signal,
  });
  return { ran, outcomes: reports.map(({ name, outcome }) => [name, outcome] as const) };
}

test('reads run, and are compared with what the emulator answered', async () => {
  const { ran, outcomes } = await run([check('a'), check('b'), check('c')]);
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(outcomes).toEqual([
    ['a', { kind: 'compared', differences: [], seen: fine }],
    ['b', { kind: 'compared', differences: [expect.objectContaining({ kind: 'differs' })], seen: fine }],
    ['c', { kind: 'new', seen: fine }],
  ]);
});

test('a write runs only when it is allowed, and what needs it only then', async () => {
  const checks = [
    check('make', { kind: 'write' }),
    check('look', { after: 'make' }),
    check('break', { kind: 'write', after: 'make' }),
  ];
  expect((await run(checks)).ran).toEqual([]);
  const allowed = await run(checks, ['make', 'break']);
  expect(allowed.ran).toEqual(['make', 'look', 'break']);
  expect((await run(checks)).outcomes.map(([, outcome]) => outcome)).toEqual([
    { kind: 'not run', why: 'you did not allow it' },
    { kind: 'not run', why: 'it needs "make"' },
    { kind: 'not run', why: 'it needs "make"' },
  ]);
});

test('one that breaks down is told, and the next one goes on; a refused login ends all', async () => {
  const broken = check('a', { run: () => Promise.reject(new Error('no answer')) });
  const { outcomes } = await run([broken, check('b')]);
  expect(outcomes[0]).toEqual(['a', { kind: 'not run', why: expect.stringContaining('no answer') }]);
  expect(outcomes[1]?.[1].kind).toBe('compared');
  const denied = new LabwrightError('LW2002', { what: 'refused', fix: ['see the token'] });
  await expect(run([check('a', { run: () => Promise.reject(denied) }), check('b')])).rejects.toBe(denied);
});
