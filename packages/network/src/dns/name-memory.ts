// What the name server answered last, so that it can go on after a restart while the cluster is away. Pure.
import type { NameRecord } from '../controller/network-end.ts';
import { expireSeconds } from './exposure-zone.ts';

export type RememberedName = Pick<NameRecord, 'name' | 'addresses'>;

export interface RememberedNames {
  /** When they were right as far as we knew; milliseconds since 1970 UTC. */
  readonly at: number;
  /** What the cluster exposed; names of the lab itself follow from the lab file. */
  readonly names: readonly RememberedName[];
}

/** A cache: without it every query fails until the cluster is known, and nothing worse. Neither of them throws. */
export interface NameMemory {
  recall(): RememberedNames | undefined;
  remember(names: RememberedNames): void;
}

/**
 * Nothing for what is older than a secondary server would answer from (RFC 1035 §3.3.13, EXPIRE): after a day without anybody at
 * work, addresses may have gone to others. A time that is still to come is of a clock that was wrong, and tells no age.
 */
export function recallNames(memory: NameMemory, nowMs: number): readonly RememberedName[] | undefined {
  const known = memory.recall();
  if (known === undefined) return undefined;
  const ageMs = nowMs - known.at;
  return ageMs >= 0 && ageMs <= expireSeconds * 1000 ? known.names : undefined;
}
