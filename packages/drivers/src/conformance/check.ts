// A check of an appliance as data, and how a list of them is run: reads as they come, each write only after a word of consent.
import { asLabwrightError } from '@labwright/core/errors/error';
import { type Difference, type Observation, compareObservations } from './observation.ts';

export interface Check<Context> {
  readonly appliance: 'proxmox' | 'pfsense';
  /** Its key among the emulator's answers. */
  readonly name: string;
  /** The call of docs/fidelity.md that it is about. */
  readonly call: string;
  readonly kind: 'read' | 'write';
  /** What a write does there, for whoever is asked; and that it is undone. */
  readonly does?: string;
  /** Only after this one was run: it made what this one needs. */
  readonly after?: string;
  readonly run: (context: Context, signal: AbortSignal) => Promise<Observation>;
}

export type Outcome =
  | { readonly kind: 'compared'; readonly differences: readonly Difference[]; readonly seen: Observation }
  /** The emulator's answer is not known, so there is nothing to compare with. */
  | { readonly kind: 'new'; readonly seen: Observation }
  | { readonly kind: 'not run'; readonly why: string };

export interface CheckReport {
  readonly appliance: string;
  readonly name: string;
  readonly call: string;
  readonly outcome: Outcome;
}

/** "proxmox/version" → what the emulator answered when it was last held against these checks. */
export type EmulatedAnswers = Readonly<Record<string, Observation>>;

export interface RunOptions<Context> {
  readonly context: Context;
  readonly emulated: EmulatedAnswers;
  /** Whether this write may be made. */
  readonly consent: (check: Check<Context>) => Promise<boolean>;
  readonly onReport?: (report: CheckReport) => void;
  readonly signal: AbortSignal;
}

export function answerKey({ appliance, name }: Pick<Check<never>, 'appliance' | 'name'>): string {
  return `${appliance}/${name}`;
}

/** One after the other. A check that fails in another way than by a refusal is told as not run; the next one goes on. */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  { context, emulated, consent, onReport, signal }: RunOptions<Context>,
): Promise<readonly CheckReport[]> {
  const reports: CheckReport[] = [];
  const done = new Set<string>();
  const judge = async (check: Check<Context>): Promise<Outcome> => {
    if (check.after !== undefined && !done.has(check.after)) {
      return { kind: 'not run', why: `it needs "${check.after}"` };
    }
    if (check.kind === 'write' && !(await consent(check))) return { kind: 'not run', why: 'you did not allow it' };
    try {
      const seen = await check.run(context, signal);
      if (seen.kind === 'answer') done.add(check.name);
      const known = emulated[answerKey(check)];
      if (known === undefined) return { kind: 'new', seen };
      return { kind: 'compared', differences: compareObservations(known, seen), seen };
    } catch (error) {
      signal.throwIfAborted();
      const { code, message, why } = asLabwrightError(error);
      // After a refused login nothing more may be sent.
      if (code === 'LW2002' || code === 'LW8002') throw error;
      return { kind: 'not run', why: [message, why].filter((text) => text !== undefined).join(': ') };
    }
  };
  for (const check of checks) {
    signal.throwIfAborted();
    const { appliance, name, call } = check;
    const report = { appliance, name, call, outcome: await judge(check) };
    reports.push(report);
    onReport?.(report);
  }
  return reports;
}
