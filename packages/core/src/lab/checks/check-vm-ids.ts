// VM IDs: which ones pools have, which the block has addresses for, and where others are free.
import { rangeSize, usableRange } from '../../addresses/ipv4.ts';
import type { IdentityPool, IdentityRule } from '../../identity/identity.ts';
import type { Problem } from '../diagnostic.ts';

/** VM IDs, both ends included. */
interface VmIdRange {
  readonly first: number;
  readonly last: number;
}

const rangeOf = ({ firstVmId, count }: IdentityPool): VmIdRange => ({ first: firstVmId, last: firstVmId + count - 1 });

/** Pools that share VM IDs, each with a first VM ID that is free; all of the fixes can be made together. */
export function checkVmIdRanges(pools: readonly IdentityPool[], room: VmIdRange | undefined): Problem[] {
  const sorted = pools.toSorted((one, other) => one.firstVmId - other.firstVmId);
  const overlaps: { readonly pool: IdentityPool; readonly other: IdentityPool }[] = [];
  const taken: VmIdRange[] = [];
  let furthest: IdentityPool | undefined;
  for (const pool of sorted) {
    if (furthest !== undefined && pool.firstVmId <= rangeOf(furthest).last) overlaps.push({ pool, other: furthest });
    else taken.push(rangeOf(pool));
    if (furthest === undefined || rangeOf(pool).last > rangeOf(furthest).last) furthest = pool;
  }
  return overlaps.map(({ pool, other }) => {
    const { firstVmId, isInRoom } = findFree(pool.count, taken, room);
    taken.push(rangeOf({ ...pool, firstVmId }));
    const fix = `set pools.${pool.name}.firstVmId: ${firstVmId}`;
    const { first, last } = rangeOf(other);
    return {
      path: ['pools', pool.name, 'firstVmId'],
      part: 'key' as const,
      message: `pools ${other.name} and ${pool.name} share VM IDs from ${pool.firstVmId} on`,
      label: `${other.name} has ${first} to ${last}`,
      fix: isInRoom ? fix : `${fix}, and give the network a larger block for machines`,
      related: [{ path: ['pools', other.name, 'firstVmId'], part: 'key' as const, message: `pool ${other.name}` }],
    };
  });
}

/** Where so many VM IDs are free: between others as far as the block has addresses for them, or else after all. */
function findFree(
  count: number,
  taken: readonly VmIdRange[],
  room: VmIdRange | undefined,
): { readonly firstVmId: number; readonly isInRoom: boolean } {
  const starts = taken.map(({ last }) => last + 1).toSorted((one, other) => one - other);
  const isFree = (first: number): boolean =>
    taken.every((range) => range.last < first || range.first > first + count - 1);
  const last = starts.at(-1) ?? 101;
  if (room === undefined) return { firstVmId: last, isInRoom: true };
  const inside = starts.find((first) => first >= room.first && first + count - 1 <= room.last && isFree(first));
  return { firstVmId: inside ?? last, isInRoom: inside !== undefined };
}

/** The VM IDs that the block has addresses for. */
export function roomOf({ block, baseVmId }: IdentityRule): VmIdRange {
  const usable = usableRange(block);
  return { first: baseVmId, last: baseVmId + (usable === undefined ? 0 : rangeSize(usable)) - 1 };
}
