// Cuts healing and removal off after every single event of their runs, and in the middle of the step that changes etcd, and runs them
// again each time, with real etcd members and API servers. Minutes long, so an entry of its own:
//   npm run acceptance kill-heal
import { fetchEtcdGroup } from '@labwright/cluster/etcd/etcd-group';
import { findPrograms } from '../kubernetes/binaries.ts';
import { makeStandInCluster, makeStandInFile, type StandInCluster } from './stand-in-cluster.ts';
import { heal, planHeal, planUp, up, type CutOff } from './stand-in-runs.ts';

const found = await findPrograms();
if (found.kind === 'missing') throw new Error(found.why);
const file = makeStandInFile(3, 60);
const fewer = { ...makeStandInFile(2, 0), spares: [] };
const cluster = await makeStandInCluster(found.programs, file);
let points = 0;
let failed = 0;

function report(what: string, wrongs: readonly string[]): void {
  points += 1;
  if (wrongs.length > 0) failed += 1;
  console.log(
    `${wrongs.length === 0 ? 'ok    ' : 'FAILED'} ${what}${wrongs.map((wrong) => `\n         ${wrong}`).join('')}`,
  );
}

/** The machine made last: a replacement is itself replaced in the next round. */
const newest = (of: StandInCluster): string => of.machines().at(-1)?.blueprint.name ?? '';

async function findWrongs(size: number): Promise<readonly string[]> {
  const limits = { signal: AbortSignal.timeout(20_000), timeoutMs: 3000 };
  const { members } = await fetchEtcdGroup(cluster.etcd.group(), limits);
  const facts = await cluster.observe(limits.signal);
  const nodes = facts.kind === 'answers' ? facts.nodes.filter(({ ready }) => ready === 'ready') : [];
  const again = await planHeal(cluster);
  return [
    ...(members.length === size ? [] : [`etcd has ${members.length} members`]),
    ...members
      .filter(({ healthy, learner }) => !healthy || learner)
      .map(({ name, id }) => `the member ${name} (${id}) is not well`),
    ...(nodes.length === size ? [] : [`${nodes.length} nodes are Ready`]),
    ...again.steps.map(({ title }) => `healing would ${title}`),
    ...again.problems.map(({ what }) => `healing says: ${what}`),
  ];
}

/** As often as `serve` would, until there is nothing left to do. */
async function healToTheEnd(): Promise<readonly string[]> {
  for (let round = 0; round < 5; round += 1) {
    const { plan, result } = await heal(cluster);
    if (plan.steps.length === 0) return await findWrongs(3);
    const failures = result?.failures ?? [];
    if (failures.length > 0)
      return failures.map(({ step, error }) => `${step.id}: ${error.message}: ${error.why ?? ''}`);
  }
  return ['healing comes to no end'];
}

async function cutEverywhere(name: string, runOnce: (cutOff: CutOff) => Promise<string | undefined>): Promise<void> {
  for (let count = 1; ; count += 1) {
    const cutAt = await runOnce({ kind: 'after-events', count });
    report(`${name} cut off after event ${count}: ${cutAt ?? 'not at all, it was done'}`, await healToTheEnd());
    if (cutAt === undefined) return;
  }
}

try {
  const made = await up(cluster, file);
  report(`three control planes made: ${made.result?.outcome ?? 'cut off'}`, await findWrongs(3));

  const loseDisk = async (): Promise<string> => {
    const victim = newest(cluster);
    await cluster.stopVm(victim);
    cluster.machine(victim).disk = 'gone';
    return victim;
  };
  await cutEverywhere('a disk that is gone', async (cutOff) => {
    await loseDisk();
    return (await heal(cluster, cutOff)).cutAt;
  });
  const victim = await loseDisk();
  const { cutAt } = await heal(cluster, { kind: 'in-step', step: `node.remove ${victim}` });
  report(`a disk that is gone, cut off in the middle: ${cutAt ?? 'not at all'}`, await healToTheEnd());

  for (let count = 1; ; count += 1) {
    const { cutAt } = await up(cluster, fewer, { kind: 'after-events', count });
    const { result } = await up(cluster, fewer);
    const { steps } = await planUp(cluster, fewer);
    const left = [
      ...(result?.failures ?? []).map(({ error }) => error.message),
      ...steps.map(({ title }) => `up would ${title}`),
    ];
    report(`a count lowered, cut off after event ${count}: ${cutAt ?? 'not at all, it was done'}`, left);
    const back = await up(cluster, file);
    report(`and raised again: ${back.result?.outcome ?? 'cut off'}`, await findWrongs(3));
    if (cutAt === undefined) break;
  }

  await cutEverywhere('a host that is off', async (cutOff) => {
    const lost = newest(cluster);
    await cluster.stopVm(lost);
    // Each on a host of its own, which never comes back.
    cluster.machine(lost).host = `gone-${lost}`;
    cluster.hostsOff.add(`gone-${lost}`);
    return (await heal(cluster, cutOff)).cutAt;
  });
} finally {
  await cluster.close();
}
console.log(`${points} points, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
