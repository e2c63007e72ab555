// Work on a folder that may be on a NAS. One that is switched off blocks whoever asks it, for ever: a call to the system has no time
// limit, and it holds one of the few threads that this process has for files. So nobody waits for longer than a while, and while
// something hangs there nothing else is asked of that folder.
import { LabwrightError } from '@labwright/core/errors/error';

export interface AnswerLimits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** For a list of names and the like. */
export const lookMs = 20_000;

/** For so much to be written there and read again: a NAS that takes a MiB a second is slow, and answers. */
export const transferMs = (bytes: number): number => 60_000 + Math.ceil(bytes / 1024);

/** Of this process, whatever opened them: what was given up and has not come back. */
const hanging = new Set<{ readonly folder: string }>();

/** The work goes on by itself when it was given up. Throws LW0005 for a folder that does not answer, and the signal's reason. */
export async function untilAnswered<Result>(
  folder: string,
  { timeoutMs, signal }: AnswerLimits,
  work: () => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  if ([...hanging].some((each) => each.folder === folder)) throw silent(folder);
  const given = { folder };
  const up = Promise.withResolvers<never>();
  const timeout = AbortSignal.timeout(timeoutMs);
  const onAbort = (): void => up.reject(signal.reason as Error);
  const onTimeout = (): void => up.reject(silent(folder));
  signal.addEventListener('abort', onAbort, { once: true });
  timeout.addEventListener('abort', onTimeout, { once: true });
  let isOver = false;
  const working = work().finally(() => {
    isOver = true;
    hanging.delete(given);
  });
  try {
    return await Promise.race([working, up.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    timeout.removeEventListener('abort', onTimeout);
    if (!isOver) {
      hanging.add(given);
      // Whoever asked has been told that nobody answers; how it ends some day is no news.
      working.catch(() => undefined);
    }
  }
}

const silent = (folder: string): LabwrightError =>
  new LabwrightError('LW0005', {
    what: 'the folder of snapshots does not answer',
    where: { path: folder },
    why: 'it is on a NAS that is switched off, or out of reach',
    fix: [
      'look whether the NAS runs; it is asked again as soon as it answers',
      'kubernetes.snapshots.to: another folder',
    ],
  });
