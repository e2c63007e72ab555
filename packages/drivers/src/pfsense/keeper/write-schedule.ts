// When the router's configuration is written and looked at again. Pure: time comes in with every question.
//
//                 change                       2 s without a change, or 10 s after the first
//   settled ───────────────▶ waiting ────────────────────────────────────────────────────────▶ write
//      ▲                      ▲    │ as many writes in the last hour as are allowed                 │
//      │ all of it is there   │    ▼                                                            │
//      │                      │  capped: names stay live only, until the oldest write is 1 h old   │
//   verify ◀── 5 s ── written ◀────────────────────────────────────────────────────────────────────┘
//      └── something is missing ──▶ write, also at the cap, while the reserve of the hour for that lasts
export interface ScheduleLimits {
  readonly quietMs: number;
  readonly longestMs: number;
  readonly verifyMs: number;
  /** Each write takes the place of one of the router's 30 backups. */
  readonly writesPerHour: number;
  /** So many more where something of ours was lost; what else waits then is written with it. None without it. */
  readonly lossesPerHour?: number;
}

export const usualLimits: ScheduleLimits = {
  quietMs: 2_000,
  longestMs: 10_000,
  verifyMs: 5_000,
  writesPerHour: 12,
  lossesPerHour: 3,
};

/** Keeps the times of writes over a restart. */
export interface WriteMemory {
  recall(): readonly number[];
  remember(writes: readonly number[]): void;
}

const hourMs = 60 * 60 * 1000;

export interface Schedule {
  /** When the oldest and the newest change came that is not written. */
  readonly unwritten?: {
    readonly firstMs: number;
    readonly lastMs: number;
    /** Among them something that was there already and is to be put back. */
    readonly isLoss?: boolean;
  };
  /** When the last hour's writes were. */
  readonly writes: readonly number[];
  readonly verifyAtMs?: number;
}

export const freshSchedule: Schedule = { writes: [] };

export type NextStep =
  | { readonly kind: 'rest' }
  | { readonly kind: 'wait'; readonly untilMs: number; readonly isCapped: boolean }
  | { readonly kind: 'write' }
  | { readonly kind: 'verify' };

/** Something is wanted that was not before. */
export function afterChange(schedule: Schedule, nowMs: number): Schedule {
  const { unwritten } = schedule;
  return { ...schedule, unwritten: { ...unwritten, firstMs: unwritten?.firstMs ?? nowMs, lastMs: nowMs } };
}

/** Something of ours is missing on the router: it is put back without waiting for more. */
export function afterLoss(schedule: Schedule, limits: ScheduleLimits, nowMs: number): Schedule {
  const firstMs = nowMs - limits.longestMs;
  return { ...schedule, unwritten: { firstMs, lastMs: firstMs, isLoss: true } };
}

/** Writes of ours that were not the schedule's: what a person had handed over or restored. */
export function afterOtherWrites(schedule: Schedule, count: number, nowMs: number): Schedule {
  return { ...schedule, writes: [...recentWrites(schedule, nowMs), ...Array.from({ length: count }, () => nowMs)] };
}

/** `count` is 0 when there was nothing to write. Changes that came while it was written are told anew by afterChange. */
export function afterWrite(schedule: Schedule, limits: ScheduleLimits, count: number, nowMs: number): Schedule {
  const { writes } = afterOtherWrites(schedule, count, nowMs);
  const verifyAtMs = count > 0 ? nowMs + limits.verifyMs : schedule.verifyAtMs;
  return { writes, ...(verifyAtMs === undefined ? {} : { verifyAtMs }) };
}

export function afterVerification(schedule: Schedule): Schedule {
  const { verifyAtMs: _, ...rest } = schedule;
  return rest;
}

export function nextStep(schedule: Schedule, limits: ScheduleLimits, nowMs: number): NextStep {
  const { unwritten, verifyAtMs } = schedule;
  const verifyDue = verifyAtMs ?? Number.POSITIVE_INFINITY;
  if (unwritten === undefined) {
    if (verifyAtMs === undefined) return { kind: 'rest' };
    return verifyDue <= nowMs ? { kind: 'verify' } : { kind: 'wait', untilMs: verifyDue, isCapped: false };
  }
  const allowedMs = allowedFrom(schedule, limits, nowMs);
  const wantedMs = Math.min(unwritten.lastMs + limits.quietMs, unwritten.firstMs + limits.longestMs);
  const writeDue = Math.max(wantedMs, allowedMs);
  if (writeDue <= nowMs) return { kind: 'write' };
  if (verifyDue <= nowMs) return { kind: 'verify' };
  return { kind: 'wait', untilMs: Math.min(writeDue, verifyDue), isCapped: allowedMs > nowMs };
}

/** From when on one more write keeps to the limit. */
function allowedFrom(schedule: Schedule, limits: ScheduleLimits, nowMs: number): number {
  const recent = recentWrites(schedule, nowMs);
  const most = limits.writesPerHour + (schedule.unwritten?.isLoss === true ? (limits.lossesPerHour ?? 0) : 0);
  const oldest = recent.at(-most);
  return recent.length < most || oldest === undefined ? nowMs : oldest + hourMs;
}

function recentWrites({ writes }: Schedule, nowMs: number): readonly number[] {
  // Of a clock that was set back, some would be in the future for long.
  return writes.filter((at) => at > nowMs - hourMs && at <= nowMs);
}
