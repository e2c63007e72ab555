// The part of some changes that HAProxy has to take as a whole: which entries of ours it concerns, and fewer of them.
import type { Change } from '../edits/change.ts';

/** The keys of marks with changes of the balancer, in their order. */
export function balancerKeys(changes: readonly Change[]): readonly string[] {
  const keys = changes.flatMap((change) =>
    change.kind === 'entry' && change.place.subsystem === 'haproxy' ? [change.mark.key] : [],
  );
  return [...new Set(keys)];
}

/** The changes, of those of the balancer only the first `width` keys. */
export function narrowBalancer(changes: readonly Change[], width: number): readonly Change[] {
  const kept = new Set(balancerKeys(changes).slice(0, width));
  return changes.filter(
    (change) => change.kind !== 'entry' || change.place.subsystem !== 'haproxy' || kept.has(change.mark.key),
  );
}
