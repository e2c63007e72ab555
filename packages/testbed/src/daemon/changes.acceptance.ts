// What a person asks for beside `up`, on machines that run: a larger disk, a rebuild, machines destroyed. Each does what it should to
// one machine and nothing to the others. Real guests, minutes long.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAcceptanceReport } from './acceptance-report.ts';
import { RealLab, until } from './real-lab.ts';

const minutes = 60_000;
const exampleFile = join(import.meta.dirname, '../../../../examples/home/lab.yaml');
const example = await readFile(exampleFile, 'utf8');
await using lab = await RealLab.make(example);
const report = makeAcceptanceReport('changes');

/** Everything that changes when a machine is started or installed again. */
const stateOf = async (machine: string): Promise<string | undefined> =>
  await lab.on(
    machine,
    'cat /proc/sys/kernel/random/boot_id /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; cat /srv/kept 2>/dev/null || echo nothing is kept',
  );

async function readStates(machines: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
  const states = new Map<string, string | undefined>();
  for (const machine of machines) states.set(machine, await stateOf(machine));
  return states;
}

/** One line for each machine that did change or does not answer. */
async function listTouched(before: ReadonlyMap<string, string | undefined>): Promise<readonly string[]> {
  const after = await readStates([...before.keys()]);
  return [...before].flatMap(([machine, was]) =>
    was !== undefined && after.get(machine) === was ? [] : [`${machine} is not as it was`],
  );
}

const rootMiB = async (machine: string): Promise<number> =>
  Number((await lab.on(machine, 'df --output=size --block-size=1M / | tail -n 1'))?.trim() ?? Number.NaN);

await lab.expect('rehearse', '--only', 'machines', '--detach');
for (const { name } of lab.blueprint.machines) await lab.on(name, 'echo kept | sudo tee /srv/kept >/dev/null && sync');

await report.check('a larger disk in the lab file grows the root file system of a machine that runs', async () => {
  const before = await readStates(['node101', 'node102', 'node103']);
  const sizeBefore = await rootMiB('node102');
  const [head = '', workers = ''] = example.split('  workers:');
  await writeFile(lab.labFile, `${head}  workers:${workers.replace('disk: 8GiB', 'disk: 11GiB')}`);
  await lab.killServe();
  await lab.expect('up');
  const size = await until('the file system has grown', 3 * minutes, async () => {
    const now = await rootMiB('node102');
    return now > sizeBefore + 2.9 * 1024 ? now : undefined;
  });
  console.log(`       ${sizeBefore} MiB, then ${size} MiB`);
  return await listTouched(before);
});

await report.check('`machine rebuild` makes that machine new and leaves the others', async () => {
  const others = await readStates(['node101', 'node103']);
  const before = (await stateOf('node102'))?.split('\n') ?? [];
  await lab.expect('machine', 'rebuild', 'node102', '--yes');
  const after = (await stateOf('node102'))?.split('\n') ?? [];
  const same = ['boot', 'machine id', 'host key', 'file'].filter((_, index) => after[index] === before[index]);
  return [
    ...(before.length === 4 && after.length === 4 ? [] : [`its state cannot be read: ${after.join(', ')}`]),
    ...same.map((what) => `node102 has the same ${what} as before`),
    ...((await lab.generationOf('node102')) === '2' ? [] : ['its generation is not 2']),
    ...(await listTouched(others)),
    ...(await lab.findWrongs()),
    ...(await lab.listPlannedSteps()).map((step) => `the next plan would ${step}`),
  ];
});

await report.check('`destroy node103` removes it with its disks and leaves the others', async () => {
  const others = await readStates(['node101', 'node102']);
  await lab.expect('destroy', 'node103', '--yes');
  const left = (await lab.listVolumes()).filter((volume) => volume.includes('-103-'));
  const machines = lab.blueprint.machines.filter(({ name }) => name !== 'node103');
  return [
    ...left.map((volume) => `${volume} is left`),
    ...(await listTouched(others)),
    ...(await lab.findWrongs(machines)),
  ];
});

await report.check('`destroy --all` leaves no disk on any host', async () => {
  await lab.expect('destroy', '--all', '--yes');
  return [...(await lab.listVolumes()).map((volume) => `${volume} is left`), ...(await lab.findWrongs([]))];
});
report.close();
