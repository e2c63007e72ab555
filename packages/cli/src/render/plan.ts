// A plan on the terminal: short by default, what is destroyed last and spelled out.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { countChanges, estimatePlanMs, type Plan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { formatError } from './error.ts';
import { formatEstimate, formatMiB, paint, plural, wrap } from './text.ts';

export interface PlanStyle {
  readonly columns: number;
  readonly hasColour: boolean;
}

const symbols = { add: '+', change: '~', destroy: '-', wait: '·' } as const;

export function formatPlan(plan: Plan, blueprint: Blueprint, style: PlanStyle): string {
  const lines: string[] = [];
  for (const error of plan.problems) lines.push(...formatError(error, style).split('\n'));
  const targets = groupByTarget(plan.steps);
  const shown = [...targets].filter(([, steps]) => steps.some((step) => step.change !== 'destroy'));
  const destroyed = plan.steps.filter((step) => step.change === 'destroy');
  const width = Math.max(0, ...shown.map(([target]) => target.length));
  for (const [target, steps] of shown) lines.push(formatTarget(target.padEnd(width), steps, blueprint, style));
  if (destroyed.length > 0) {
    lines.push('', '  destroys');
    for (const step of destroyed) {
      const lost = step.risk.level === 'data-loss' ? `loses ${step.risk.lost}` : '';
      lines.push(`    ${paint('bad', '-', style.hasColour)} ${step.target}   ${step.reason}   ${lost}`.trimEnd());
    }
  }
  if (shown.length > 0 || destroyed.length > 0) lines.push('');
  for (const note of plan.notes) lines.push(...wrap(`note  ${note}`, style.columns, '      '));
  lines.push(formatSummary(plan, style));
  return `${lines.join('\n')}\n`;
}

/** "Plan 4f2c1a: 3 to add, 0 to change, 0 to destroy · about 2 min", or that there is nothing to do. */
export function formatSummary(plan: Plan, style: PlanStyle): string {
  const problems = plan.problems.length === 0 ? '' : ` · ${plural(plan.problems.length, 'problem')}`;
  if (plan.steps.length === 0) return `No changes${problems}.`;
  const { add, change, destroy } = countChanges(plan);
  const head = paint('strong', `Plan ${plan.id}`, style.hasColour);
  if (add + change + destroy === 0) {
    return `${head}: no changes; waits for ${plural(plan.steps.length, 'machine')} to answer${problems}`;
  }
  const counts = `${add} to add, ${change} to change, ${destroy} to destroy`;
  return `${head}: ${counts} · ${formatEstimate(estimatePlanMs(plan))}${problems}`;
}

function groupByTarget(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  const targets = new Map<string, Step[]>();
  for (const step of steps) targets.set(step.target, [...(targets.get(step.target) ?? []), step]);
  return targets;
}

function formatTarget(padded: string, steps: readonly Step[], blueprint: Blueprint, style: PlanStyle): string {
  const created = steps.find((step) => step.change === 'add');
  const machine = blueprint.machines.find((each) => each.name === padded.trimEnd());
  if (created !== undefined && machine !== undefined) {
    const host = created.title.split(' on ').at(-1) ?? '';
    const facts = [
      host.padEnd(6),
      `${machine.cores} cores`,
      formatMiB(machine.memoryMiB).padStart(8),
      `${machine.diskGiB} GiB`.padStart(7),
      machine.firmware,
      machine.address,
    ];
    return `  ${paint('good', symbols.add, style.hasColour)} ${padded}  ${facts.join('  ')}`;
  }
  const changes = steps.filter((step) => step.change === 'change');
  const main = changes.length > 0 ? changes : steps;
  const symbol = changes.length > 0 ? paint('warning', symbols.change, style.hasColour) : symbols.wait;
  const risk = steps.some((step) => step.risk.level === 'restart') ? '   (restarts it)' : '';
  return `  ${symbol} ${padded}  ${main.map((step) => step.title).join('; ')}${risk}`;
}
