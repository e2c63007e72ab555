// From power-on to three Ready nodes: a rehearsal of the example, firmware and installation included, beside the same cluster made by
// hand (see floor.ts), alternating. The median of each and their ratio are printed:
//   npm run bench cluster [ROUNDS]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { ensureKubernetesRelease } from '@labwright/images/kubernetes/release';
import { testCacheDirectory } from '../roots.ts';
import { makeFloor } from './floor.ts';

const repository = join(import.meta.dirname, '../../../..');
const scripts = join(repository, '../shared/floor');
const rounds = Number(process.argv[2] ?? 3);

/** Seconds from the start of the first virtual machine to the last node that became Ready, by the run's own journal. */
async function measureRehearsal(): Promise<number> {
  // Short, since sockets lie in it.
  const place = await mkdtemp(join(tmpdir(), 'lw-'));
  const environment = { ...process.env, XDG_STATE_HOME: join(place, 's') };
  const labwright = async (...argv: readonly string[]): Promise<void> => {
    const child = spawn(join(repository, 'labwright'), argv, { cwd: place, env: environment, stdio: 'ignore' });
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    if (exitCode !== 0) throw new Error(`labwright ${argv.join(' ')} ended with exit code ${exitCode}`);
  };
  await copyFile(join(repository, 'examples/home/lab.yaml'), join(place, 'lab.yaml'));
  try {
    await labwright('rehearse', '--detach');
    return await readFormationSeconds(join(place, 's/labwright/rehearsals'));
  } finally {
    await labwright('rehearse', 'stop');
    await rm(place, { recursive: true, force: true });
  }
}

async function readFormationSeconds(rehearsals: string): Promise<number> {
  const [state] = await readdir(rehearsals);
  if (state === undefined) throw new Error(`there is no rehearsal in ${rehearsals}`);
  const store = new DatabaseSync(join(rehearsals, state, 'serve/store.sqlite'), { readOnly: true });
  try {
    const select = store.prepare(
      `SELECT at FROM event WHERE json_extract(body, '$.step') LIKE ? AND json_extract(body, '$.state') = ? ORDER BY at`,
    );
    const timesOf = (step: string, state: string) => select.all(step, state).map(({ at }) => Number(at));
    const [poweredOn] = timesOf('vm.start %', 'started');
    const ready = timesOf('cluster.ready %', 'done');
    const lastReady = ready.at(-1);
    if (poweredOn === undefined || lastReady === undefined || ready.length < 3) {
      throw new Error(`the journal tells of ${ready.length} nodes that became Ready, not of three`);
    }
    return (lastReady - poweredOn) / 1000;
  } finally {
    store.close();
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

await access(join(scripts, 'run.sh')).catch(() => {
  console.error(`the scripts of the cluster made by hand are not in ${scripts}: there is nothing to compare with`);
  process.exit(2);
});
const context = {
  cacheDir: testCacheDirectory(),
  signal: new AbortController().signal,
  onProgress: (message: string) => console.log(message),
};
const mirror = process.env['LABWRIGHT_KUBERNETES_MIRROR'];
const release = await ensureKubernetesRelease(
  { version: kubernetesVersion('1.20.2'), ...(mirror === undefined ? {} : { mirror }) },
  context,
);
const floor = await makeFloor(scripts, release.directory, context);
const seconds = { floor: [] as number[], labwright: [] as number[] };
for (let round = 1; round <= rounds; round += 1) {
  const byHand = await floor.measure();
  seconds.floor.push(byHand.seconds);
  console.log(`round ${round}: by hand ${byHand.seconds.toFixed(0)} s`);
  const ours = await measureRehearsal();
  seconds.labwright.push(ours);
  console.log(`round ${round}: labwright ${ours.toFixed(0)} s`);
}
const [byHand, ours] = [median(seconds.floor), median(seconds.labwright)];
console.log(
  `median by hand ${byHand.toFixed(0)} s, labwright ${ours.toFixed(0)} s, ratio ${(ours / byHand).toFixed(2)}`,
);
