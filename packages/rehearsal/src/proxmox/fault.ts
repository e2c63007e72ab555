// Faults on demand: what can be broken on an emulated host, and the list of what is broken now.
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { refusal } from './error.ts';
import type { TaskLog, TaskStart } from './task.ts';

const vmId = z.number().int().min(100);
const standing = { /** How often it strikes; for ever when absent. */ times: z.number().int().positive().optional() };

export const faultSchema = z.discriminatedUnion('kind', [
  /** A lock in the VM's configuration, as a backup job leaves it. */
  z.strictObject({ kind: z.literal('lock-vm'), vmId, lock: z.string().default('backup') }),
  z.strictObject({ kind: z.literal('unlock-vm'), vmId }),
  /** Somebody else holds a lock file of the host. */
  z.strictObject({ kind: z.literal('hold-lock'), path: z.string().startsWith('/var/lock/') }),
  z.strictObject({
    kind: z.literal('slow-tasks'),
    seconds: z.number().positive(),
    type: z.string().optional(),
    ...standing,
  }),
  z.strictObject({ kind: z.literal('task-warning'), text: z.string(), type: z.string().optional(), ...standing }),
  z.strictObject({ kind: z.literal('task-failure'), text: z.string(), type: z.string().optional(), ...standing }),
  /** Answers calls whose path matches with a status of the proxy's own, 596 for one. */
  z.strictObject({
    kind: z.literal('answer'),
    status: z.number().int().min(400).max(599),
    reason: z.string().default('Connection timed out'),
    path: z.string(),
    /** The call is carried out all the same, as when the answer comes too late. */
    isCarriedOut: z.boolean().default(false),
    ...standing,
  }),
  /** Calls take this long before anything is done; the proxy gives up on a protected one after thirty seconds. */
  z.strictObject({ kind: z.literal('slow-calls'), seconds: z.number().positive(), path: z.string(), ...standing }),
  z.strictObject({ kind: z.literal('host-down'), guests: z.enum(['power-cut', 'keep']).default('power-cut') }),
  z.strictObject({ kind: z.literal('host-up') }),
  z.strictObject({ kind: z.literal('power-cut'), vmId }),
  /** What the VM's volumes were on has failed: they are gone, the guest with them, and the configuration stays. */
  z.strictObject({ kind: z.literal('lose-disk'), vmId }),
  z.strictObject({ kind: z.literal('ignore-powerdown'), vmId, ...standing }),
  z.strictObject({ kind: z.literal('revoke-token'), token: z.string().includes('!') }),
]);

export type Fault = z.output<typeof faultSchema>;

type StandingKind =
  | 'slow-tasks'
  | 'task-warning'
  | 'task-failure'
  | 'answer'
  | 'slow-calls'
  | 'ignore-powerdown'
  | 'hold-lock';
type StandingFault = Extract<Fault, { readonly kind: StandingKind }>;

interface Entry {
  readonly id: number;
  readonly fault: StandingFault;
  remaining: number;
  readonly release?: () => void;
}

export interface Faults {
  add(fault: StandingFault, release?: () => void): number;
  list(): readonly { readonly id: number; readonly fault: Fault }[];
  /** Ends one fault, or all. */
  remove(id?: number): void;
  /** The next fault that answers this call instead of the handler. */
  takeAnswer(path: string): Extract<Fault, { readonly kind: 'answer' }> | undefined;
  /** Seconds that this call is held up. */
  takeCallDelay(path: string): number;
  takeIgnoredPowerDown(vmId: number): boolean;
  readonly strikeTask: (task: TaskStart, log: TaskLog) => Promise<void>;
}

export function makeFaults(clock: Clock): Faults {
  const entries: Entry[] = [];
  let count = 0;

  function take<K extends StandingKind>(
    kind: K,
    matches: (fault: Extract<StandingFault, { readonly kind: K }>) => boolean,
  ): Extract<StandingFault, { readonly kind: K }> | undefined {
    for (const entry of entries) {
      const { fault } = entry;
      if (fault.kind !== kind || !matches(fault as Extract<StandingFault, { readonly kind: K }>)) continue;
      entry.remaining -= 1;
      if (entry.remaining <= 0) entries.splice(entries.indexOf(entry), 1);
      return fault as Extract<StandingFault, { readonly kind: K }>;
    }
    return undefined;
  }

  return {
    add: (fault, release) => {
      count += 1;
      const times = 'times' in fault ? fault.times : undefined;
      entries.push({
        id: count,
        fault,
        remaining: times ?? Number.POSITIVE_INFINITY,
        ...(release === undefined ? {} : { release }),
      });
      return count;
    },
    list: () => entries.map(({ id, fault }) => ({ id, fault })),
    remove: (id) => {
      for (const entry of entries.filter((candidate) => id === undefined || candidate.id === id)) {
        entry.release?.();
        entries.splice(entries.indexOf(entry), 1);
      }
    },
    takeAnswer: (path) => take('answer', (fault) => new RegExp(fault.path).test(path)),
    takeCallDelay: (path) => take('slow-calls', (fault) => new RegExp(fault.path).test(path))?.seconds ?? 0,
    takeIgnoredPowerDown: (id) => take('ignore-powerdown', (fault) => fault.vmId === id) !== undefined,
    strikeTask: async (task, log) => {
      const isOfType = (fault: { readonly type?: string | undefined }): boolean =>
        fault.type === undefined || fault.type === task.type;
      const slow = take('slow-tasks', isOfType);
      if (slow !== undefined) await clock.wait(slow.seconds, log.signal);
      const warning = take('task-warning', isOfType);
      if (warning !== undefined) log.warn(warning.text);
      const failure = take('task-failure', isOfType);
      if (failure !== undefined) throw refusal(failure.text);
    },
  };
}
