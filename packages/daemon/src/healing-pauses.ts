// Which machines healing leaves alone for a while: one that could not be healed is tried again, each time after a pause twice as
// long. The others are healed meanwhile.
import type { Step } from '@labwright/core/plan/step';
import type { Clock } from '@labwright/core/ports/clock';

/** By machine: why it is left alone for now, for people. */
export type HeldMachines = ReadonlyMap<string, string>;

export interface HealingPauses {
  /** Of now. */
  held(): HeldMachines;
  /** What was planned while those were held: a machine that was not, and for which nothing is planned, is well. */
  looked(held: HeldMachines, steps: readonly Step[]): void;
  /** In one run; several steps of a machine count once. */
  failed(failures: readonly { readonly target: string; readonly what: string }[]): void;
}

/** What cannot be healed is not hammered. */
const mostMs = 3_600_000;

interface Pause {
  readonly times: number;
  readonly ms: number;
  readonly endsAt: number;
  readonly what: string;
}

export function makeHealingPauses(clock: Pick<Clock, 'monotonic'>, firstMs: number): HealingPauses {
  const pauses = new Map<string, Pause>();
  return {
    held: () => {
      const now = clock.monotonic();
      const lasting = [...pauses].filter(([, { endsAt }]) => now < endsAt);
      return new Map(lasting.map(([name, pause]) => [name, formatPause(name, pause)]));
    },
    looked: (held, steps) => {
      const planned = new Set(steps.map(({ target }) => target));
      for (const name of pauses.keys()) if (!held.has(name) && !planned.has(name)) pauses.delete(name);
    },
    failed: (failures) => {
      for (const [name, what] of new Map(failures.map((each) => [each.target, each.what]))) {
        const { times, ms } = pauses.get(name) ?? { times: 0, ms: firstMs };
        const nextMs = Math.min(mostMs, ms * 2);
        pauses.set(name, { times: times + 1, ms: nextMs, endsAt: clock.monotonic() + nextMs, what });
      }
    },
  };
}

function formatPause(name: string, { times, what }: Pause): string {
  const often = times === 1 ? 'once' : `${times} times`;
  return `healing ${name} failed ${often} and is tried again later: ${what}; labwright up   tries it now`;
}
