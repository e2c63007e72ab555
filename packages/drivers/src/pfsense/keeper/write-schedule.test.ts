import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Schedule,
  afterChange,
  afterLoss,
  afterOtherWrites,
  afterVerification,
  afterWrite,
  freshSchedule,
  nextStep,
  usualLimits,
} from './write-schedule.ts';

const limits = { ...usualLimits, writesPerHour: 3 };
const hourMs = 3_600_000;

describe('nextStep', () => {
  test('rests without a change, and waits 2 s for more after one', () => {
    expect(nextStep(freshSchedule, limits, 0)).toEqual({ kind: 'rest' });
    const changed = afterChange(freshSchedule, 1_000);
    expect(nextStep(changed, limits, 1_000)).toEqual({ kind: 'wait', untilMs: 3_000, isCapped: false });
    expect(nextStep(changed, limits, 3_000)).toEqual({ kind: 'write' });
    expect(nextStep(afterChange(changed, 2_500), limits, 3_000)).toEqual({
      kind: 'wait',
      untilMs: 4_500,
      isCapped: false,
    });
  });

  test('waits 10 s at most, however many changes come', () => {
    let schedule: Schedule = freshSchedule;
    for (let at = 0; at < 10_000; at += 1_000) {
      schedule = afterChange(schedule, at);
      expect(nextStep(schedule, limits, at).kind).toBe('wait');
    }
    expect(nextStep(schedule, limits, 10_000)).toEqual({ kind: 'write' });
  });

  test('verifies 5 s after a write, also while the next change waits', () => {
    const written = afterWrite(afterChange(freshSchedule, 0), limits, 1, 2_000);
    expect(nextStep(written, limits, 2_000)).toEqual({ kind: 'wait', untilMs: 7_000, isCapped: false });
    const more = afterChange(written, 6_500);
    expect(nextStep(more, limits, 7_000)).toEqual({ kind: 'verify' });
    expect(nextStep(afterVerification(more), limits, 7_000)).toEqual({ kind: 'wait', untilMs: 8_500, isCapped: false });
    expect(nextStep(afterVerification(written), limits, 7_000)).toEqual({ kind: 'rest' });
  });

  test('writes no more than an hour may have, and goes on when the oldest is an hour old', () => {
    const schedule = afterChange({ writes: [0, 1_000, 2_000] }, 5_000);
    expect(nextStep(schedule, limits, 20_000)).toEqual({ kind: 'wait', untilMs: hourMs, isCapped: true });
    expect(nextStep(schedule, limits, hourMs)).toEqual({ kind: 'write' });
  });

  test('puts back at the cap what is missing, as far as the reserve for that goes, and other changes with it', () => {
    const full: Schedule = { writes: [0, 1_000, 2_000] };
    const lost = afterLoss(afterChange(full, 3_000), limits, 5_000);
    expect(nextStep(lost, limits, 5_000)).toEqual({ kind: 'write' });
    expect(nextStep(afterChange(lost, 6_000), limits, 16_000)).toEqual({ kind: 'write' });
    const spent: Schedule = { writes: [0, 1_000, 2_000, 3_000, 4_000, 5_000] };
    expect(nextStep(afterLoss(spent, limits, 6_000), limits, 6_000)).toMatchObject({ untilMs: hourMs, isCapped: true });
    // What is no loss waits until there are less than three again.
    expect(nextStep(afterChange(spent, 6_000), limits, 16_000)).toMatchObject({ untilMs: hourMs + 3_000 });
  });

  test('counts what others of us wrote, and nothing of a time that has not come', () => {
    expect(afterOtherWrites({ writes: [1_000, 99_000] }, 2, 5_000)).toEqual({ writes: [1_000, 5_000, 5_000] });
  });

  test('puts back at once what is missing, and nothing written counts as no write', () => {
    expect(nextStep(afterLoss(freshSchedule, limits, 500), limits, 500)).toEqual({ kind: 'write' });
    expect(afterWrite(afterChange({ writes: [1] }, 2), limits, 0, 3)).toEqual({ writes: [1] });
  });

  test('whatever happens: never more writes an hour than allowed, and a change is written as soon as it may be', () => {
    const event = record({
      afterMs: integer({ min: 0, max: 400_000 }),
      kind: constantFrom('change', 'loss', 'nothing'),
    });
    const most = limits.writesPerHour + (limits.lossesPerHour ?? 0);
    assert(
      property(array(event, { maxLength: 60 }), (events) => {
        let schedule: Schedule = freshSchedule;
        let now = 0;
        const writes: number[] = [];
        const advanceTo = (untilMs: number): void => {
          for (;;) {
            const step = nextStep(schedule, limits, now);
            if (step.kind === 'write') {
              writes.push(now);
              schedule = afterWrite(schedule, limits, 1, now);
            } else if (step.kind === 'verify') {
              schedule = afterVerification(schedule);
            } else if (step.kind === 'rest' || step.untilMs > untilMs) {
              now = untilMs;
              return;
            } else {
              if (step.untilMs <= now) throw new Error('it waits for what is past');
              now = step.untilMs;
            }
          }
        };
        for (const { afterMs, kind } of events) {
          advanceTo(now + afterMs);
          if (kind === 'change') schedule = afterChange(schedule, now);
          if (kind === 'loss') schedule = afterLoss(schedule, limits, now);
        }
        for (const [index, at] of writes.entries()) {
          expect(writes.slice(index).filter((other) => other < at + hourMs).length).toBeLessThanOrEqual(
            events.some(({ kind }) => kind === 'loss') ? most : limits.writesPerHour,
          );
        }
        advanceTo(now + hourMs + limits.longestMs);
        expect(schedule.unwritten).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });
});
