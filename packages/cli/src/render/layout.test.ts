// No line is ever longer than the screen, whatever names, details and widths come.
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabEvent } from '@labwright/core/events/event';
import { hostName } from '@labwright/core/addresses/names';
import { makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { breakCommand } from '../doctor/doctor-report.ts';
import { formatError } from './error.ts';
import { formatPlan, withoutName } from './plan.ts';
import { layoutRows } from './rows.ts';
import { makeRunRenderer } from './run.ts';
import { makePlan, makeStep, stepsOfNew } from './sample-plan.test-data.ts';
import { makeHeldClock, makeScreen } from './screen.test-data.ts';
import { formatStatus } from './status.ts';
import { formatAdvice, formatDuration, wrap } from './text.ts';
import { displayWidth, fit, fitMiddle } from '@labwright/core/text/width';

const anyText = fc.string({ unit: 'binary', maxLength: 200 });
const columns = fc.integer({ min: 40, max: 160 });
const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/);
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 40 });
const style = (width: number) => ({ columns: width, hasColour: false, isPlain: width % 2 === 0 });

const tooLong = (text: string, width: number): readonly string[] =>
  text.split('\n').filter((line) => displayWidth(line) > width);

describe('no line is longer than the screen', () => {
  test('of wrapped, fitted and advised text', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 2, max: 100 }), (text, width) => {
        expect(tooLong(wrap(text, width).join('\n'), width)).toEqual([]);
        expect(tooLong(fit(text, width), width)).toEqual([]);
        expect(tooLong(fitMiddle(text, width), width)).toEqual([]);
      }),
    );
  });

  test('of advice', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 10, max: 100 }), (text, width) => {
        const lines = formatAdvice([text, 'labwright plan   what would change'], width).flat();
        expect(tooLong(lines.join('\n'), width)).toEqual([]);
      }),
    );
  });

  test('of an error', () => {
    const error = fc.record({
      what: anyText,
      where: fc.dictionary(anyText, anyText),
      why: anyText,
      fix: fc.array(anyText),
      log: fc.array(anyText),
    });
    fc.assert(
      fc.property(error, columns, (details, width) => {
        expect(tooLong(formatError(new LabwrightError('LW0006', details).toJSON(), style(width)), width)).toEqual([]);
      }),
    );
  });

  test('of rows', () => {
    const row = fc.record({
      name: anyText,
      cells: fc.array(fc.string({ maxLength: 70 }), { maxLength: 6 }),
      text: anyText,
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), columns, (rows, width) => {
        const given = rows.map((each) => ({ sign: '+', word: 'destroy', ...each }));
        expect(tooLong(layoutRows(given, style(width)).join('\n'), width)).toEqual([]);
      }),
    );
  });

  test('of a plan and a status', () => {
    fc.assert(
      fc.property(names, name, anyText, columns, fc.boolean(), (all, host, text, width, isFull) => {
        const machines = all.map((each, at) => makeMachine(101 + at, { name: hostName(each) }));
        const steps = machines.flatMap((machine, at) =>
          at % 3 === 0
            ? stepsOfNew(machine, host)
            : [
                makeStep('vm.update', machine.name, {
                  title: text,
                  change: at % 3 === 1 ? 'change' : 'destroy',
                  reason: text,
                }),
              ],
        );
        const plan = makePlan(steps, { notes: [text] });
        expect(tooLong(formatPlan(plan, makeBlueprint(machines), { ...style(width), isFull }), width)).toEqual([]);
        const status = machines.map((machine) => ({ ...machine, host, state: 'starting' as const }));
        const hosts = [{ name: host, online: true, version: '9.2', memoryMiB: 100, memoryUsedMiB: 33 }];
        const seen = { lab: 'home', version: '0.1.0', asOf: 0, hosts, machines: status };
        expect(tooLong(formatStatus(seen, { ...style(width), isFull }), width)).toEqual([]);
      }),
    );
  });

  test('of a run, redrawn or not', () => {
    fc.assert(
      fc.property(names, anyText, columns, fc.boolean(), (targets, detail, width, isInteractive) => {
        const screen = makeScreen({ columns: width, rows: 24, isInteractive });
        const clock = makeHeldClock();
        const renderer = makeRunRenderer(screen, clock);
        const steps = targets.map((target) => makeStep('vm.create', target, { estimateMs: 90_000 }));
        const base = { type: 'step', run: 'r1' } as const;
        const events: LabEvent[] = [
          { type: 'run-started', at: 0, run: 'r1', plan: 'p', lab: 'home', steps },
          ...steps.map((step): LabEvent => ({
            ...base,
            at: 0,
            step: step.id,
            target: step.target,
            state: 'started',
            title: detail,
          })),
          ...steps.map((step): LabEvent => ({
            ...base,
            at: 0,
            step: step.id,
            target: step.target,
            state: 'progress',
            detail,
          })),
          ...steps.slice(1).map((step): LabEvent => ({
            ...base,
            at: 0,
            step: step.id,
            target: step.target,
            state: 'done',
            durationMs: 3_723_000,
            detail,
          })),
        ];
        for (const [at, event] of events.entries()) {
          clock.set(at * 40_000);
          renderer.handle(event);
          renderer.tick();
        }
        expect(screen.widest()).toBeLessThanOrEqual(width);
      }),
      { numRuns: 50 },
    );
  });
});

describe('words', () => {
  test('nothing is lost by wrapping, and columns of advice stay', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,30}$/)), fc.integer({ min: 5, max: 60 }), (list, width) => {
        expect(wrap(list.join(' '), width).join('').replaceAll(' ', '')).toBe(list.join(''));
      }),
    );
    expect(formatAdvice(['labwright plan   look', 'labwright up 4f2c1a   apply'], 60)).toEqual([
      ['labwright plan        look'],
      ['labwright up 4f2c1a   apply'],
    ]);
  });

  test('a command too long for a line is still one that a shell understands', () => {
    const command = "pveum acl modify /storage/local-lvm --users 'labwright@pve' --roles LabwrightStorage";
    const lines = breakCommand(command, 40);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join('\n').replaceAll(/ \\\n +/g, ' ')).toBe(command);
  });

  test('wide and combining characters count as the screen draws them', () => {
    expect(['ä', 'a\u0308', '漢字', '🙂', '✓'].map(displayWidth)).toEqual([1, 1, 4, 2, 1]);
    expect([fit('漢字漢字', 5), fitMiddle('node-of-the-attic-101', 11)]).toEqual(['漢字…', 'node-…c-101']);
    expect(fit('a\u001b[31mred\nb', 80)).toBe('a�[31mred b');
  });

  test.each([
    ['change node1: cores 2 → 4', 'cores 2 → 4'],
    ['grow the disk of node1 from 8 to 16 GiB', 'grow the disk from 8 to 16 GiB'],
    ['shut down and start node1', 'shut down and start'],
    ['wait for node1 to answer', 'wait for it to answer'],
    ['let node1 boot from its disk first again', 'let it boot from its disk first again'],
  ])('%s', (title, words) => {
    expect(withoutName(title, 'node1')).toBe(words);
  });

  test.each([
    [300, '0.3 s'],
    [4_000, '4 s'],
    [112_000, '1m 52s'],
    [7_500_000, '2h 05m'],
    [-5, '0.0 s'],
  ])('%i ms is %s', (ms, words) => {
    expect(formatDuration(ms)).toBe(words);
  });
});
