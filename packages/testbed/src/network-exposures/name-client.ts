// A client that asks for names one after the other without a pause, in a process of its own; for benchmarks:
//   node name-client.ts SERVER NAME...     until its standard input ends; then it says what it got, as JSON
import { Resolver } from 'node:dns/promises';

const [server = '', ...names] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 1_000, tries: 1 });
resolver.setServers([server]);

let [asked, lost] = [0, 0];
const reasons = new Set<string>();
const stop = new AbortController();
process.stdin.resume().once('end', () => {
  stop.abort();
});
while (!stop.signal.aborted) {
  for (const name of names) {
    if (stop.signal.aborted) break;
    asked += 1;
    try {
      await resolver.resolve4(name);
    } catch (error) {
      lost += 1;
      reasons.add(error instanceof Error ? error.message : String(error));
    }
  }
}
process.stdout.write(JSON.stringify({ asked, lost, reasons: [...reasons].slice(0, 5) }));
