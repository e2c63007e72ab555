// Whether what moves pods is awake: controllers and scheduler. One that restarted leads again only when the lease of the former one
// has run out, and then reads the cluster first. Until it follows, budgets let pods go by numbers that nobody counts any more,
// nobody makes new ones, and Services name pods that have ended.
//
//   no sign of life ──renews its lease while we look──▶ leads ──for as long as a lease lasts──▶ follows
import type { CallOptions, ClusterConnection } from './connection.ts';
import { type Lease, leaseKind } from './kind.ts';

const components = ['kube-controller-manager', 'kube-scheduler'] as const;
type Component = (typeof components)[number];

export interface LeaderWait {
  readonly signal: AbortSignal;
  readonly timeLimitMs: number;
  /** "kube-scheduler gives no sign of life", once for each that is waited for. */
  readonly onProgress: (words: string) => void;
}

const lookAgainMs = 500;
/** A leader that lives is seen at its next renewal; only what takes longer is told. */
const quietMs = 10_000;

/**
 * Returns undefined when controllers and scheduler follow the cluster, and after the time limit what does not. Takes as long as
 * their leaders need to renew their leases, two seconds by default. One without a lease is taken to need no election.
 */
export async function waitForLeaders(
  connection: ClusterConnection,
  { signal, timeLimitMs, onProgress }: LeaderWait,
): Promise<string | undefined> {
  const { clock } = connection;
  const startedAt = clock.monotonic();
  const first = await fetchLeases(connection, { signal });
  if (first.size === 0) return undefined;
  let said: string | undefined;
  for (;;) {
    await clock.sleep(lookAgainMs, signal);
    const now = await fetchLeases(connection, { signal });
    const why = components
      .map((component) => whyNotFollowing(component, first.get(component), now.get(component)))
      .find((words) => words !== undefined);
    const elapsedMs = clock.monotonic() - startedAt;
    if (why === undefined || elapsedMs > timeLimitMs) return why;
    if (why === said || elapsedMs < quietMs) continue;
    onProgress(why);
    said = why;
  }
}

async function fetchLeases(connection: ClusterConnection, call: CallOptions): Promise<ReadonlyMap<Component, Lease>> {
  const leases = new Map<Component, Lease>();
  for (const name of components) {
    const lease = await connection.get(leaseKind, { name, namespace: 'kube-system' }, call);
    if (lease !== undefined) leases.set(name, lease);
  }
  return leases;
}

/** By the lease's own times, which are of one clock: ours may be another. */
function whyNotFollowing(component: Component, first: Lease | undefined, now: Lease | undefined): string | undefined {
  if (now?.spec === undefined) return undefined;
  const { renewTime, acquireTime, leaseDurationSeconds } = now.spec;
  if (renewTime === undefined || renewTime === null || renewTime === first?.spec?.renewTime)
    return `${component} gives no sign of life`;
  const ledForMs = Date.parse(renewTime) - Date.parse(acquireTime ?? renewTime);
  return ledForMs >= (leaseDurationSeconds ?? 0) * 1000 ? undefined : `${component} has only just begun to lead`;
}
