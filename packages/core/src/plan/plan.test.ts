import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labId } from '../addresses/names.ts';
import { countChanges, estimatePlanMs, mergePlans, movedReliances } from './plan.ts';
import type { Step } from './step.ts';

const lab = labId('home');

function makeStep(id: string, overrides: Partial<Step> = {}): Step {
  return {
    id,
    kind: 'test',
    target: id,
    title: id,
    change: 'add',
    reason: 'a test',
    needs: [],
    risk: { level: 'none' },
    estimateMs: 1000,
    relies: [],
    queues: [],
    input: null,
    ...overrides,
  };
}

const merge = (steps: readonly Step[]) => mergePlans(lab, 0, [{ steps, problems: [], notes: [] }]);

// Needs only point to earlier numbers, so the graph has no circle; the order in which steps are given is shuffled.
const acyclic = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
  .map((rows) =>
    rows.map((row, at) => makeStep(`s${at}`, { needs: at === 0 ? [] : row.map((need) => `s${need % at}`) })),
  )
  .chain((steps) => fc.shuffledSubarray(steps, { minLength: steps.length }));

describe('mergePlans', () => {
  test('every step stands after the steps it needs, and none is lost', () => {
    fc.assert(
      fc.property(acyclic, (steps) => {
        const sorted = merge(steps).steps.map((step) => step.id);
        expect([...sorted].sort()).toEqual(steps.map((step) => step.id).sort());
        for (const step of steps) {
          for (const need of step.needs) expect(sorted.indexOf(need)).toBeLessThan(sorted.indexOf(step.id));
        }
      }),
    );
  });

  test('a circle, a missing need and a double id are mistakes of ours', () => {
    expect(() => merge([makeStep('a', { needs: ['b'] }), makeStep('b', { needs: ['a'] })])).toThrow('circle');
    expect(() => merge([makeStep('a', { needs: ['b'] })])).toThrow('need');
    expect(() => merge([makeStep('a'), makeStep('a')])).toThrow('id of its own');
  });

  test('the id follows from the steps alone', () => {
    expect(merge([makeStep('a')]).id).toBe(
      mergePlans(lab, 99, [{ steps: [makeStep('a')], problems: [], notes: [] }]).id,
    );
    expect(merge([makeStep('a')]).id).not.toBe(merge([makeStep('b')]).id);
  });
});

test('a machine that is created and then started counts once', () => {
  const plan = merge([
    makeStep('create', { target: 'node101' }),
    makeStep('start', { target: 'node101', change: 'change', needs: ['create'] }),
    makeStep('grow', { target: 'node102', change: 'change' }),
  ]);
  expect(countChanges(plan)).toEqual({ add: 1, change: 1, destroy: 0 });
  expect(estimatePlanMs(plan)).toBe(2000);
});

test('a reliance that moved is named with both values', () => {
  const plan = merge([makeStep('a', { relies: [{ entry: 'vm/101 presence', was: 'absent' }] })]);
  expect(movedReliances(plan, new Map([['vm/101 presence', 'absent']]))).toEqual([]);
  expect(movedReliances(plan, new Map([['vm/101 presence', 'foreign']]))).toEqual([
    'vm/101 presence: was absent, is foreign',
  ]);
});
