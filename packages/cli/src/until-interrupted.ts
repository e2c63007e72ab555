// A lab that is opened may be waited for at length, and nothing is done yet: one Ctrl-C ends that. Once it is open, the first one
// belongs to the work, which ends its steps.
import type { Program } from './program.ts';

/** Throws the reason of the interruption when one comes before the lab is open. */
export async function untilInterrupted<Opened>(
  { interrupt, signal }: Pick<Program, 'interrupt' | 'signal'>,
  open: (signal: AbortSignal) => Promise<Opened>,
): Promise<Opened> {
  const opening = new AbortController();
  const end = (): void => opening.abort(interrupt.reason);
  if (interrupt.aborted) end();
  interrupt.addEventListener('abort', end, { once: true });
  try {
    return await open(AbortSignal.any([signal, opening.signal]));
  } finally {
    interrupt.removeEventListener('abort', end);
  }
}
