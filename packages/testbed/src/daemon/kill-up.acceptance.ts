// Kills `up` and `rebuild` with SIGKILL after every single event of their runs, and in the middle of their tasks, and runs `up`
// again each time. Minutes long, so an entry of its own:
//   tools/in-testbed node_modules/.bin/node packages/testbed/src/daemon/kill-up.acceptance.ts
import { makeAcceptanceReport } from './acceptance-report.ts';
import { runKilled, runToTheEnd, type KilledRun } from './killed-run.ts';
import { makeStandInLab } from './stand-in-lab.ts';

const machineCount = 3;
const lab = await makeStandInLab({ bridge: 'kill-each', subnet: 3, machineCount });
const report = makeAcceptanceReport('points');

async function killEverywhere(name: string, runOnce: (count: number) => Promise<KilledRun>): Promise<void> {
  for (let count = 1; ; count += 1) {
    const { killedAt, wrongs } = await runOnce(count);
    report.add(`${name} killed after event ${count}: ${killedAt ?? 'not at all, it was done'}`, wrongs);
    if (killedAt === undefined) return;
  }
}

try {
  await killEverywhere('up', async (count) => {
    await lab.clear();
    return runKilled(lab, { kind: 'up' }, { kind: 'count', count });
  });
  for (const [type, stepKind] of [
    ['qmcreate', 'vm.create'],
    ['qmstart', 'vm.start'],
  ] as const) {
    await lab.clear();
    for (const host of lab.cluster.hosts.keys())
      await lab.cluster.fault(host, { kind: 'slow-tasks', seconds: 4, type, times: 1 });
    const { killedAt, wrongs } = await runKilled(lab, { kind: 'up' }, { kind: 'in-task', stepKind });
    report.add(`up killed in the middle of every ${type}: ${killedAt ?? 'not at all'}`, wrongs);
  }
  await lab.clear();
  const { wrongs } = await runToTheEnd(lab);
  report.add('up undisturbed', wrongs);
  const [machine] = lab.blueprint.machines;
  if (machine === undefined) throw new Error('the lab has no machine');
  await killEverywhere('rebuild', async (count) => {
    const killed = await runKilled(lab, { kind: 'rebuild', machine: machine.name }, { kind: 'count', count });
    const wanted = Number(/^#generation=(\d+)$/m.exec(await lab.readConfigFile(machine.vmId))?.[1]);
    const installed = await lab.machines.readInstalled(machine.vmId);
    return installed === wanted
      ? killed
      : { ...killed, wrongs: [...killed.wrongs, `generation ${installed} is installed, ${wanted} is wanted`] };
  });
  for (const host of lab.cluster.hosts.keys())
    await lab.cluster.fault(host, { kind: 'slow-tasks', seconds: 4, type: 'qmshutdown', times: 1 });
  const intent = { kind: 'rebuild', machine: machine.name } as const;
  const inShutdown = await runKilled(lab, intent, { kind: 'in-task', stepKind: 'vm.shutdown' });
  report.add(`rebuild killed in the middle of a qmshutdown: ${inShutdown.killedAt ?? 'not at all'}`, inShutdown.wrongs);
} finally {
  await lab.close();
}
report.close();
