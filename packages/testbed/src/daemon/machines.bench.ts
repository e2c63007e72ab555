// From nothing to three machines: how long the rehearsal of the example takes, and how much memory its processes have at most, page
// cache left out. Warm by default; "cold" is with an empty cache of its own:
//   npm run bench machines [cold]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findInit } from '@labwright/rehearsal/keeper/namespaces';
import { getFolders, rehearsalFolder } from 'labwright/folders';

const repository = join(import.meta.dirname, '../../../..');
const everyMs = 1000;
const isCold = process.argv[2] === 'cold';

/** KiB of anonymous and shared memory of the process and all it started, by parents. */
async function readMemoryKiB(first: number): Promise<number> {
  const children = new Map<number, number[]>();
  const own = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    // One that ended meanwhile has none.
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    own.set(Number(entry), field('RssAnon') + field('RssShmem'));
    const siblings = children.get(field('PPid'));
    if (siblings === undefined) children.set(field('PPid'), [Number(entry)]);
    else siblings.push(Number(entry));
  }
  const sum = (pid: number): number =>
    (own.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((total, child) => total + sum(child), 0);
  return sum(first);
}

// Short, since sockets lie in it.
const place = await mkdtemp(join(tmpdir(), 'lw-'));
const environment = {
  ...process.env,
  XDG_STATE_HOME: join(place, 's'),
  ...(isCold ? { XDG_CACHE_HOME: join(place, 'c') } : {}),
};
const labwright = async (...words: readonly string[]): Promise<void> => {
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  const child = spawn(join(repository, 'labwright'), words, { cwd: place, env: environment, stdio: [...stdio] });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  if (exitCode !== 0) throw new Error(`labwright ${words.join(' ')} ended with exit code ${exitCode}`);
};
await copyFile(join(repository, 'examples/home/lab.yaml'), join(place, 'lab.yaml'));
const state = rehearsalFolder(getFolders(environment), place);
const over = new AbortController();
let peakKiB = 0;
const watching = (async () => {
  while (!over.signal.aborted) {
    const init = await findInit(state);
    if (init !== undefined) peakKiB = Math.max(peakKiB, await readMemoryKiB(init));
    await delay(everyMs, undefined, { signal: over.signal }).catch(() => undefined);
  }
})();
const startedAt = performance.now();
try {
  await labwright('rehearse', '--only', 'machines', '--detach');
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `three machines ${isCold ? 'from nothing' : 'with caches'}: ${seconds} s, at most ${Math.round(peakKiB / 1024)} MiB`,
  );
} finally {
  over.abort();
  await watching;
  await labwright('rehearse', 'stop');
  await rm(place, { recursive: true, force: true });
}
