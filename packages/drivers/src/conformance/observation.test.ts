import { describe, expect, test } from 'vitest';
import { type Observation, compareObservations, observeAnswer } from './observation.ts';

const rows = [
  { vmid: 101, name: 'a', cpu: 0.5 },
  { vmid: 102, name: 'b', cpu: 0, lock: 'backup' },
];

describe('observeAnswer', () => {
  test('tells fields with their types, and which rows may lack', () => {
    expect(observeAnswer(rows, true)).toEqual({
      kind: 'answer',
      fields: { '[].cpu': 'number', '[].lock': 'string?', '[].name': 'string', '[].vmid': 'number' },
      isRead: true,
    });
  });

  test('tells several types, what is empty, what is null, and lists within', () => {
    expect(
      observeAnswer(
        [
          { a: 1, b: [] },
          { a: '1', b: [null] },
        ],
        true,
      ),
    ).toMatchObject({
      fields: { '[].a': 'number|string', '[].b[]': 'none|null' },
    });
    expect(observeAnswer(null, true)).toMatchObject({ fields: { '': 'null' } });
  });

  test('keys that are data are told as one', () => {
    const permissions = { '/': { 'Sys.Audit': 1 }, '/vms/101': { 'VM.Audit': 0, 'VM.PowerMgmt': 1 } };
    expect(observeAnswer(permissions, true, ['', '.*'])).toMatchObject({ fields: { '.*.*': 'number' } });
  });

  test('a stranger’s answer is looked at so far and no further', () => {
    const deep = Array.from({ length: 50 }).reduce((inner) => ({ inner }), {});
    expect(observeAnswer(deep, true).kind).toBe('answer');
    const wide = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index]));
    const seen = observeAnswer(wide, true);
    expect(seen.kind === 'answer' && Object.keys(seen.fields).length).toBeLessThanOrEqual(2_000);
  });
});

describe('compareObservations', () => {
  const emulated = observeAnswer(rows, true);
  const against = (real: unknown, isRead = true): readonly string[] =>
    compareObservations(emulated, observeAnswer(real, isRead)).map(({ kind, what }) => `${kind}: ${what}`);

  test('equal answers, and those that only have fewer rows, do not differ', () => {
    expect(against(rows)).toEqual([]);
    expect(against(rows.slice(0, 1))).toEqual([]);
    expect(against([])).toEqual([]);
  });

  test('a field that is missing, of another type, or new', () => {
    expect(against([{ vmid: '101', cpu: 1, tags: 'a' }])).toEqual([
      'differs: [].name is not there',
      'differs: [].vmid is string; the emulator: number',
      'more: [].tags',
    ]);
  });

  test('an answer that the product cannot read', () => {
    expect(against(rows, false)).toEqual(['differs: Labwright cannot read this answer']);
  });

  test('refusals by status and words', () => {
    const refusal = (status: string, message: string): Observation => ({ kind: 'refusal', status, message });
    expect(compareObservations(refusal('500', 'no such VM'), refusal('500', 'no such VM'))).toEqual([]);
    expect(compareObservations(refusal('500', 'no such VM'), refusal('404', 'not found'))).toEqual([
      { kind: 'differs', what: '404 "not found"; the emulator: 500 "no such VM"' },
    ]);
    expect(compareObservations(refusal('500', 'x'), emulated)).toEqual([
      { kind: 'differs', what: 'it answers; the emulator: 500 "x"' },
    ]);
  });
});
