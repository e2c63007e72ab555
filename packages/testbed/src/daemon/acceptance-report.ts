// What an acceptance run found: a line for each point as it is reached, and a closing figure.

export interface AcceptanceReport {
  /** Passed when nothing is wrong. */
  add(what: string, wrongs: readonly string[]): void;
  /** Runs the check; what it throws is what is wrong. */
  check(what: string, run: () => Promise<readonly string[]>): Promise<void>;
  /** Prints the figure and sets the exit code. */
  close(): void;
}

export function makeAcceptanceReport(unit: string): AcceptanceReport {
  const startedAt = performance.now();
  let points = 0;
  let failed = 0;
  const seconds = (since: number): string => `${Math.round((performance.now() - since) / 1000)} s`;
  const add: AcceptanceReport['add'] = (what, wrongs) => {
    points += 1;
    if (wrongs.length > 0) failed += 1;
    const lines = wrongs.map((wrong) => `\n         ${wrong.replaceAll('\n', '\n         ')}`);
    console.log(`${wrongs.length === 0 ? 'ok    ' : 'FAILED'} ${what}${lines.join('')}`);
  };
  return {
    add,
    check: async (what, run) => {
      const since = performance.now();
      let wrongs: readonly string[];
      try {
        wrongs = await run();
      } catch (error) {
        wrongs = [error instanceof Error ? error.message : String(error)];
      }
      add(`${what} (${seconds(since)})`, wrongs);
    },
    close: () => {
      console.log(`${points} ${unit}, ${failed} failed, ${seconds(startedAt)}`);
      process.exitCode = failed === 0 && points > 0 ? 0 : 1;
    },
  };
}
