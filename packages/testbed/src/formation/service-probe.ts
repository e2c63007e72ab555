// Asks a Service again and again while something else happens, from the lab's laptop, and counts what came to nothing.
import type { RealLab } from '../daemon/real-lab.ts';

export interface ProbeResult {
  readonly asked: number;
  readonly missed: number;
  readonly seconds: number;
}

/** Each of the URLs in turn, one question at a time; an answer may take five seconds, which a machine without KVM needs under load. */
export async function probeService(
  lab: RealLab,
  urls: readonly string[],
  meanwhile: () => Promise<unknown>,
): Promise<ProbeResult> {
  const startedAt = performance.now();
  let [asked, missed] = [0, 0];
  const over = new AbortController();
  const probing = (async () => {
    while (!over.signal.aborted) {
      for (const url of urls) {
        asked += 1;
        if ((await lab.fetchFromLaptop(url)) === undefined) missed += 1;
      }
    }
  })();
  try {
    await meanwhile();
  } finally {
    over.abort();
    await probing;
  }
  return { asked, missed, seconds: Math.round((performance.now() - startedAt) / 1000) };
}
