// Faults on demand: what can go wrong between a client and the router, and what stands to go wrong now.
import * as z from 'zod';

const standing = { /** How often it strikes; for ever when absent. */ times: z.int().positive().optional() };

export const faultSchema = z.discriminatedUnion('kind', [
  /** The web server answers with this status. */
  z.strictObject({
    kind: z.literal('answer'),
    status: z.int().min(400).max(599).default(500),
    /** The call is carried out all the same, as when PHP fails after its work. */
    isCarriedOut: z.boolean().default(false),
    ...standing,
  }),
  /** Calls take this much longer before anything is done. */
  z.strictObject({ kind: z.literal('slow'), seconds: z.number().positive().default(30), ...standing }),
  /** The connection ends without an answer; what was asked is done, or is not. */
  z.strictObject({ kind: z.literal('cut'), isCarriedOut: z.boolean().default(true), ...standing }),
  /** The router goes down, stays so for a while, and comes up. */
  z.strictObject({ kind: z.literal('reboot'), seconds: z.number().min(0).default(20) }),
  /** Its process is killed: what a power cut does. Whoever keeps it starts it again. */
  z.strictObject({ kind: z.literal('power-cut') }),
  /** A person restores a backup (the oldest, or one by its time) and the router reboots. */
  z.strictObject({ kind: z.literal('restore'), time: z.int().optional(), seconds: z.number().min(0).default(5) }),
]);

export type Fault = z.output<typeof faultSchema>;
export type FaultInput = z.input<typeof faultSchema>;
export type StandingFault = Extract<Fault, { readonly kind: 'answer' | 'slow' | 'cut' }>;

interface Entry {
  readonly id: number;
  readonly fault: StandingFault;
  remaining: number;
}

export interface Faults {
  add(fault: StandingFault): number;
  list(): readonly { readonly id: number; readonly fault: StandingFault }[];
  /** Ends one, or all. */
  remove(id?: number): void;
  /** The next that strikes a call, of this kind. */
  take<K extends StandingFault['kind']>(kind: K): Extract<StandingFault, { readonly kind: K }> | undefined;
}

export function makeFaults(): Faults {
  let entries: Entry[] = [];
  let count = 0;
  return {
    add: (fault) => {
      count += 1;
      entries.push({ id: count, fault, remaining: fault.times ?? Number.POSITIVE_INFINITY });
      return count;
    },
    list: () => entries.map(({ id, fault }) => ({ id, fault })),
    remove: (id) => {
      entries = id === undefined ? [] : entries.filter((entry) => entry.id !== id);
    },
    take: <K extends StandingFault['kind']>(kind: K) => {
      const entry = entries.find(({ fault }) => fault.kind === kind);
      if (entry === undefined) return undefined;
      entry.remaining -= 1;
      if (entry.remaining <= 0) entries = entries.filter((other) => other !== entry);
      return entry.fault as Extract<StandingFault, { readonly kind: K }>;
    },
  };
}
