// The router in one line, and how far its keeper is.
import type { RouterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { RouterStatus } from '@labwright/core/contract/contract';
import { asLabwrightError, type LabwrightError } from '@labwright/core/errors/error';
import type { RouterStanding } from '@labwright/drivers/pfsense/keeper/router-standing';
import type { ManagedRouter } from '@labwright/network/router/managed-router';

/** Never throws for a router that is away: the status says so. While it is kept, the keeper has looked seconds ago. */
export async function formatRouterStatus(
  router: ManagedRouter,
  { name, address, manage }: RouterBlueprint,
  { isKept, signal }: { readonly isKept: boolean; readonly signal: AbortSignal },
): Promise<RouterStatus> {
  const known = { name, address, manage } as const;
  const away = (error: LabwrightError): RouterStatus => {
    return { ...known, version: null, standing: 'away', words: error.why ?? error.message };
  };
  try {
    const { standing } = router;
    if (isKept && standing.kind === 'failing' && standing.error?.code === 'LW8001') return away(standing.error);
    const state = (isKept ? router.state : undefined) ?? (await router.look(signal));
    const { version, readOnly } = state.profile;
    const { kind, words } = standingOf(standing, manage.length > 0, readOnly);
    const idle = router.findIdleBalancer(state);
    const isWell = words === null && idle !== undefined;
    return { ...known, version, standing: kind, words: isWell ? `${idle.message}; ${idle.fix[0]}` : words };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = asLabwrightError(thrown);
    if (error.code === 'LW0001') throw error;
    // It is there, and it or we want no more of the other until a person mends that.
    const isRefused = error.code === 'LW8002' || error.code === 'LW8003';
    return isRefused ? { ...known, version: null, standing: 'failing', words: error.message } : away(error);
  }
}

function standingOf(
  { kind, conflicts, takenBack, error }: RouterStanding,
  isManaged: boolean,
  readOnly: string | undefined,
): { readonly kind: RouterStatus['standing']; readonly words: string | null } {
  if (readOnly !== undefined) return { kind: 'read-only', words: readOnly };
  if (!isManaged) return { kind: 'not managed', words: null };
  switch (kind) {
    case 'starting':
      return { kind: 'not kept', words: null };
    case 'settled': {
      const left = conflicts.length + takenBack.size;
      return left === 0
        ? { kind: 'in step', words: null }
        : { kind: 'in step', words: `except for ${left} ${left === 1 ? 'entry' : 'entries'}: labwright router diff` };
    }
    case 'waiting':
      return { kind: 'being written', words: null };
    case 'capped':
      return { kind: 'capped', words: 'names are live, the rest waits: written as often as an hour may have' };
    case 'held':
      return { kind: 'held', words: 'another Labwright writes to it for this lab' };
    case 'read-only':
    case 'failing':
      return { kind: 'failing', words: error?.message ?? null };
  }
}
