// A plan on the terminal: short by default, what is destroyed last and spelled out.
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { ErrorJson } from '@labwright/core/errors/error';
import { countChanges, estimatePlanMs, type Plan } from '@labwright/core/plan/plan';
import type { Step } from '@labwright/core/plan/step';
import { formatError } from './error.ts';
import { formatNames, groupNeighbours, layoutRows, longList, stemOf, type Row } from './rows.ts';
import { formatEstimate, formatMiB, hang, paint, plural, wrap, type TextStyle } from './text.ts';

export interface PlanView extends TextStyle {
  /** Every machine a line of its own, every problem and note in full. */
  readonly isFull: boolean;
}

const shownProblems = 3;
const shownNoteLines = 4;

export function formatPlan(plan: Plan, blueprint: Blueprint, view: PlanView): string {
  const lines: string[] = [...formatProblems(plan.problems, view)];
  const targets = groupByTarget(plan.steps);
  const changes = [...targets].filter(([, steps]) => steps.some((step) => step.change !== 'destroy'));
  lines.push(...formatChanges(changes, blueprint, view));
  const destroyed = plan.steps.filter((step) => step.change === 'destroy');
  if (destroyed.length > 0) lines.push(...(changes.length > 0 ? [''] : []), ...formatDestroyed(destroyed, view));
  if (targets.size > 0) lines.push('');
  for (const note of plan.notes) {
    const noteLines = hang('note  ', note, view.columns);
    const isCut = !view.isFull && noteLines.length > shownNoteLines;
    lines.push(...(isCut ? [...noteLines.slice(0, shownNoteLines), '      … (labwright plan --full)'] : noteLines));
  }
  lines.push(...formatSummary(plan, view));
  return `${lines.join('\n')}\n`;
}

/** "Plan 4f2c1a: 3 to add, 0 to change, 0 to destroy · about 2 min", or that there is nothing to do. */
function formatSummary(plan: Plan, style: TextStyle): readonly string[] {
  const problems = plan.problems.length === 0 ? '' : ` · ${plural(plan.problems.length, 'problem')}`;
  if (plan.steps.length === 0) return [`No changes${problems}.`];
  const { add, change, destroy } = countChanges(plan);
  const head = `Plan ${plan.id}`;
  const counts = `${add} to add, ${change} to change, ${destroy} to destroy · ${formatEstimate(estimatePlanMs(plan))}`;
  const waits = `no changes; waits for ${plural(groupByTarget(plan.steps).size, 'machine')} to answer`;
  const text = `: ${add + change + destroy === 0 ? waits : counts}${problems}`;
  const [first = '', ...rest] = wrap(`${head}${text}`, style.columns, '  ');
  return [paint('strong', head, style) + first.slice(head.length), ...rest];
}

/** The same thing said of three hundred machines is said in full for the first few. */
function formatProblems(problems: readonly ErrorJson[], view: PlanView): readonly string[] {
  const byCode = Map.groupBy(problems, (problem) => problem.code);
  return [...byCode].flatMap(([code, group]) => {
    const shown = view.isFull || group.length <= shownProblems + 1 ? group : group.slice(0, shownProblems);
    const left = group.length - shown.length;
    return [
      ...shown.flatMap((problem) => formatError(problem, view).split('\n')),
      ...(left === 0 ? [] : [`and ${left} more ${code} of this kind (labwright plan --full)`, '']),
    ];
  });
}

function groupByTarget(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  return Map.groupBy(steps, (step) => step.target);
}

/** Always every one of them, with what is lost. */
function formatDestroyed(steps: readonly Step[], style: TextStyle): readonly string[] {
  const rows = steps.map((step): Row => {
    const lost = step.risk.level === 'data-loss' ? `loses ${step.risk.lost}; ` : '';
    const text = `${lost}${step.reason}`;
    return { sign: '-', word: 'destroy', paint: 'bad', name: step.target, cells: [], text };
  });
  return ['  destroys', ...layoutRows(rows, style)];
}

interface Change {
  readonly key: string;
  readonly name: string;
  readonly row: Row;
  readonly host: string;
  readonly machine: MachineBlueprint | undefined;
}

function formatChanges(
  targets: readonly (readonly [string, readonly Step[]])[],
  blueprint: Blueprint,
  view: PlanView,
): readonly string[] {
  const machines = new Map<string, MachineBlueprint>(blueprint.machines.map((machine) => [machine.name, machine]));
  const changes = targets.map(([target, steps]) => describeChange(target, steps, machines.get(target)));
  if (view.isFull || changes.length <= longList) {
    return layoutRows(
      changes.map((change) => change.row),
      view,
    );
  }
  return layoutRows(groupNeighbours(changes, (change) => change.key).map(mergeChanges), view);
}

function describeChange(name: string, steps: readonly Step[], machine: MachineBlueprint | undefined): Change {
  const created = steps.find((step) => step.change === 'add');
  if (created !== undefined && machine !== undefined) {
    const host = created.title.split(' on ').at(-1) ?? '';
    const facts = factsOf(machine);
    const row: Row = { sign: '+', word: 'add', paint: 'good', name, cells: [host, ...facts, machine.address] };
    return { key: ['+', machine.pool, stemOf(name), ...facts].join('\n'), name, row, host, machine };
  }
  const changed = steps.filter((step) => step.change === 'change' || step.change === 'add');
  const main = changed.length > 0 ? changed : steps;
  const isRestarted = steps.some((step) => step.risk.level === 'restart');
  const lost = steps.flatMap((step) =>
    step.risk.level === 'data-loss' && step.change !== 'destroy' ? [step.risk.lost] : [],
  );
  const notes = [...(isRestarted ? ['restarts it'] : []), ...lost.map((each) => `loses ${each}`)];
  const text =
    main.map((step) => withoutName(step.title, name)).join('; ') + (notes.length > 0 ? ` (${notes.join('; ')})` : '');
  const row: Row =
    changed.length > 0
      ? { sign: '~', word: 'change', paint: 'warning', name, cells: [], text }
      : { sign: '·', word: 'wait', name, cells: [], text };
  // What loses data is never told in a group.
  const key = lost.length > 0 ? `${name}\n` : `${row.sign}\n${stemOf(name)}\n${text}`;
  return { key, name, row, host: '', machine };
}

const factsOf = (machine: MachineBlueprint): readonly string[] => [
  plural(machine.cores, 'core'),
  formatMiB(machine.memoryMiB),
  `${machine.diskGiB} GiB`,
  machine.firmware,
];

function mergeChanges(group: readonly Change[]): Row {
  const [first, second] = group;
  if (first === undefined) return { sign: '', word: '', name: '', cells: [] };
  if (second === undefined) return first.row;
  const name = formatNames(group.map((change) => change.name));
  if (first.machine === undefined || first.row.sign !== '+') return { ...first.row, name };
  const hosts = new Set(group.map((change) => change.host));
  const place = hosts.size === 1 ? first.host : `${hosts.size} hosts`;
  const addresses = `${first.machine.address}-${group.at(-1)?.machine?.address ?? ''}`;
  return { ...first.row, name, cells: [place, ...factsOf(first.machine), addresses] };
}

/** The name stands at the head of its line: "grow the disk of node101 from 8 GiB" says it twice. */
export function withoutName(title: string, name: string): string {
  const colon = title.split(` ${name}: `);
  if (colon.length === 2) return colon[1] ?? title;
  return ` ${title} `
    .replace(` of ${name} `, ' ')
    .replace(new RegExp(`^ (start|shut down|shut down and start|create|destroy) ${escape(name)} $`), ' $1 ')
    .replaceAll(` ${name} `, ' it ')
    .trim();
}

const escape = (text: string): string => text.replaceAll(/[^\w]/g, String.raw`\$&`);
