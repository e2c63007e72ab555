// What becomes of a plan: shown, asked about, run, and told by an exit code and, with --json, by one document.
import { LabwrightError } from '@labwright/core/errors/error';
import type { Plan } from '@labwright/core/plan/plan';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import type { LabClient } from '@labwright/daemon/api/client';
import { describe, expect, test, vi } from 'vitest';
import { applyIntent, applyPlan } from './apply.ts';
import type { LabSession } from './lab-session.ts';
import { exitCodes, type GlobalOptions, type Program } from './program.ts';
import { makePlan, mixedPlan } from './render/sample-plan.test-data.ts';
import { makeScreen } from './render/screen.test-data.ts';

const noOptions: GlobalOptions = { json: false, yes: false, real: false, debug: false, withoutServe: false };
const { plan: lossy, blueprint } = mixedPlan();
const harmless: Plan = {
  ...lossy,
  id: 'aaaaaa',
  problems: [],
  steps: lossy.steps.filter((step) => step.change !== 'destroy'),
};

/** A lab that needs the plan and whose runs end so; `ran` has the plans that were run. */
function makeSession(plan: Plan, outcome = 'done', kind: 'hardware' | 'rehearsal' = 'hardware') {
  const ran: string[] = [];
  const client: Pick<LabClient, 'plan' | 'savedPlan' | 'run'> = {
    plan: async () => plan,
    savedPlan: async (id) => {
      if (id === plan.id) return plan;
      throw new LabwrightError('LW0002', { what: `there is no plan ${id}` });
    },
    run: async ({ planId }) => {
      ran.push(planId);
      return { outcome, errors: [] };
    },
  };
  return { ran, session: { location: { kind }, blueprint, client } as unknown as LabSession };
}

function makeProgram(options: Partial<GlobalOptions> = {}, answer?: string) {
  const screen = makeScreen({ columns: 80, rows: 24, isInteractive: false });
  const never = new AbortController().signal;
  const ports = { clock: systemClock, random: systemRandom, interrupt: never, signal: never };
  const terminal = { ...screen, ask: async () => answer };
  const folders = { cache: '/', state: '/' };
  const program: Program = {
    ...ports,
    terminal,
    environment: {},
    folders,
    directory: '/',
    options: { ...noOptions, ...options },
  };
  return { program };
}

describe('the exit code', () => {
  test.each([
    ['done', exitCodes.done],
    ['failed', exitCodes.failed],
    ['interrupted', exitCodes.interrupted],
  ])('of a run that ended %s', async (outcome, exitCode) => {
    const { session, ran } = makeSession(harmless, outcome);
    expect(await applyIntent(makeProgram().program, session, { kind: 'up' })).toBe(exitCode);
    expect(ran).toEqual(['aaaaaa']);
  });

  test('of a lab as it should be, and of one with a problem', async () => {
    const { session, ran } = makeSession(makePlan([]));
    expect(await applyIntent(makeProgram().program, session, { kind: 'up' })).toBe(exitCodes.done);
    const troubled = makeSession(makePlan([], { problems: lossy.problems })).session;
    expect(await applyIntent(makeProgram().program, troubled, { kind: 'up' })).toBe(exitCodes.failed);
    expect(ran).toEqual([]);
  });
});

describe('what would be lost', () => {
  test('is named and asked about', async () => {
    const { session, ran } = makeSession(lossy);
    await expect(applyIntent(makeProgram().program, session, { kind: 'up' })).rejects.toMatchObject({
      code: 'LW0002',
      why: expect.stringContaining('disk of node201, 8 GiB, disk of node202, 80 GiB') as string,
    });
    await expect(applyIntent(makeProgram({}, 'no').program, session, { kind: 'up' })).rejects.toMatchObject({
      code: 'LW0003',
    });
    expect(ran).toEqual([]);
    await applyIntent(makeProgram({}, 'home').program, session, { kind: 'up' });
    await applyIntent(makeProgram({ yes: true }).program, session, { kind: 'up' });
    expect(ran).toEqual(['4f2c1a', '4f2c1a']);
  });

  test('is asked about in spite of --yes where hardware was meant with --real', async () => {
    const { session, ran } = makeSession(lossy);
    const { program } = makeProgram({ yes: true, real: true });
    await expect(applyIntent(program, session, { kind: 'up' })).rejects.toBeInstanceOf(LabwrightError);
    expect(ran).toEqual([]);
  });

  test('is asked about for a saved plan too', async () => {
    const { session, ran } = makeSession(lossy);
    await expect(applyPlan(makeProgram().program, session, '4f2c1a')).rejects.toMatchObject({ code: 'LW0002' });
    expect(ran).toEqual([]);
  });
});

describe('a lab that moved between looking and doing', () => {
  const moved = new LabwrightError('LW5001', { what: 'plan aaaaaa no longer fits the lab' });

  test('is planned and asked about once more', async () => {
    const { session, ran } = makeSession(harmless);
    const looked = vi.spyOn(session.client, 'plan').mockResolvedValueOnce({ ...harmless, id: 'bbbbbb' });
    vi.spyOn(session.client, 'run').mockRejectedValueOnce(moved);
    expect(await applyIntent(makeProgram().program, session, { kind: 'up' })).toBe(exitCodes.done);
    expect(looked).toHaveBeenCalledTimes(2);
    expect(ran).toEqual(['aaaaaa']);
  });

  test('that goes on moving, or a plan that was saved, is refused', async () => {
    const { session } = makeSession(harmless);
    const run = vi.spyOn(session.client, 'run').mockRejectedValue(moved);
    await expect(applyIntent(makeProgram().program, session, { kind: 'up' })).rejects.toBe(moved);
    expect(run).toHaveBeenCalledTimes(2);
    await expect(applyPlan(makeProgram().program, session, 'aaaaaa')).rejects.toBe(moved);
    expect(run).toHaveBeenCalledTimes(3);
  });
});

test('a saved plan is run as it is, without a new look, and an unknown one is not', async () => {
  const { session, ran } = makeSession(harmless);
  const looked = vi.spyOn(session.client, 'plan');
  await expect(applyPlan(makeProgram().program, session, '123456')).rejects.toMatchObject({ code: 'LW0002' });
  expect(await applyPlan(makeProgram().program, session, 'aaaaaa')).toBe(exitCodes.done);
  expect(ran).toEqual(['aaaaaa']);
  expect(looked).not.toHaveBeenCalled();
});

test('--json gives one document', async () => {
  const { program } = makeProgram({ json: true });
  let out = '';
  const terminal = { ...program.terminal, out: (text: string) => void (out += text) };
  await applyIntent({ ...program, terminal }, makeSession(harmless, 'failed').session, { kind: 'up' });
  expect(JSON.parse(out)).toMatchObject({ outcome: 'failed', plan: { id: 'aaaaaa' }, errors: [] });
});
