// Asks a Service again and again while something else happens, from the lab's laptop, and counts what came to nothing.
import type { RealLab } from '../daemon/real-lab.ts';

export interface ProbeResult {
  readonly asked: number;
  readonly missed: number;
  /** "412 s http://10.1.1.2:30080/ 5003 ms": when, where, and after how long, for each that was missed. */
  readonly misses: readonly string[];
  readonly seconds: number;
}

/** Each of the URLs in turn, one question at a time; an answer may take five seconds, which a machine without KVM needs under load. */
export async function probeService(
  lab: RealLab,
  urls: readonly string[],
  meanwhile: () => Promise<unknown>,
): Promise<ProbeResult> {
  const startedAt = performance.now();
  let asked = 0;
  const misses: string[] = [];
  const over = new AbortController();
  const probing = (async () => {
    while (!over.signal.aborted) {
      for (const url of urls) {
        asked += 1;
        const askedAt = performance.now();
        if ((await lab.fetchFromLaptop(url)) !== undefined) continue;
        const seconds = Math.round((askedAt - startedAt) / 1000);
        misses.push(`${seconds} s ${url} ${Math.round(performance.now() - askedAt)} ms`);
      }
    }
  })();
  try {
    await meanwhile();
  } finally {
    over.abort();
    await probing;
  }
  return { asked, missed: misses.length, misses, seconds: Math.round((performance.now() - startedAt) / 1000) };
}
