// Whose turn it is to change the lab: one run at a time.
//
//              taken by the service itself ──► a person's run waits for its end
//   free ──►
//              taken by a person           ──► every other one is refused (LW5003)
import { LabwrightError } from '@labwright/core/errors/error';

/** 'service': healing, and what is done on a schedule. */
export type RunStarter = 'person' | 'service';

export interface TurnRequest {
  readonly run: string;
  readonly by: RunStarter;
  /** Called when it has to wait; what it gives ends with the wait. */
  readonly onWait: () => Disposable;
  /** Aborted: it waits no longer, and rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

export interface RunTurns {
  /** The run whose turn it is. */
  current(): string | undefined;
  /** Throws LW5003 while a run is under way. */
  assertFree(): void;
  /** Resolves when the turn is had; it ends by disposing. Throws LW5003 while a person's run is under way. */
  take(request: TurnRequest): Promise<Disposable>;
}

export function makeRunTurns(): RunTurns {
  let current: { readonly run: string; readonly by: RunStarter; readonly ended: Promise<void> } | undefined;
  const assertFree = (): void => {
    if (current === undefined) return;
    throw new LabwrightError('LW5003', {
      what: `run ${current.run} is under way`,
      fix: ['wait for it to end, or interrupt it where it was started'],
    });
  };
  return {
    current: () => current?.run,
    assertFree,
    take: async ({ run, by, onWait, signal }) => {
      for (;;) {
        const ahead = by === 'person' && current?.by === 'service' ? current : undefined;
        if (ahead === undefined) break;
        using _ = onWait();
        await untilEnded(ahead.ended, signal);
      }
      assertFree();
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      current = { run, by, ended };
      return {
        [Symbol.dispose]: () => {
          current = undefined;
          resolve();
        },
      };
    },
  };
}

async function untilEnded(ended: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const giveUp = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([ended, promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
