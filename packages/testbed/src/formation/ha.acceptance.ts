// Three control planes of real guests, formed by one command: how long it took, and how quiet it is afterwards. Five guests on two cores:
//   npm run acceptance ha              five guests, with the example's two workers
//   npm run acceptance ha -- planes    the three control planes alone
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeAcceptanceReport } from '../daemon/acceptance-report.ts';
import { RealLab } from '../daemon/real-lab.ts';
import { GuestCluster } from './guest-cluster.ts';

const minutes = 60_000;
const watchMs = 5 * minutes;
const example = await readFile(join(import.meta.dirname, '../../../../examples/home/lab.yaml'), 'utf8');
const isAlone = process.argv.includes('planes');
const size = isAlone ? 3 : 5;
const withoutWorkers = example.replaceAll(/(role: worker\n\s+firstVmId: \d+\n\s+count:) 1/g, '$1 0');
await using lab = await RealLab.make(isAlone ? withoutWorkers : example);
const report = makeAcceptanceReport('points');
const cluster = await GuestCluster.make(lab);

const etcd =
  'sudo ETCDCTL_API=3 etcdctl --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt ' +
  '--key=/etc/kubernetes/pki/etcd/server.key --command-timeout=30s endpoint status --cluster -w json';

/** Members that answered, and the term: each election raises it. */
async function readEtcd(machine: string): Promise<{ readonly members: number; readonly term: number } | undefined> {
  const said = await lab.on(machine, etcd);
  if (said === undefined) return undefined;
  const list = JSON.parse(said) as readonly { readonly Status: { readonly raftTerm: number } }[];
  return { members: list.length, term: Math.max(...list.map(({ Status }) => Status.raftTerm)) };
}

const startedAt = performance.now();
await lab.expect('rehearse', '--size', 'ha', '--detach');
console.log(
  `       formed in ${Math.round((performance.now() - startedAt) / 1000)} s, with the installation of ${size} machines`,
);
await cluster.connect();
const nodes = (await cluster.listReadyNodes()).map((node) => node.split(' ')[0] ?? '');
const planes = (
  await cluster.run('get', 'nodes', '-l=node-role.kubernetes.io/control-plane', '-o=jsonpath={.items[*].metadata.name}')
).split(' ');
report.add(`${size} nodes are ready, three of them control planes`, [
  ...(nodes.length === size ? [] : [`ready: ${nodes.join(', ')}`]),
  ...(planes.length === 3 ? [] : [`control planes: ${planes.join(', ')}`]),
]);

await report.check('etcd has three members', async () => {
  const seen = await readEtcd(planes[0] ?? '');
  return seen?.members === 3 ? [] : [`it says ${JSON.stringify(seen)}`];
});

await report.check('five minutes later every node is ready as it was; elections and silences are counted', async () => {
  const before = await readEtcd(planes[0] ?? '');
  let [asked, silent, unready] = [0, 0, 0];
  const until = performance.now() + watchMs;
  while (performance.now() < until) {
    asked += 1;
    const ready = await cluster.listReadyNodes().catch(() => undefined);
    if (ready === undefined) silent += 1;
    else if (ready.length < size) unready += 1;
    await delay(5_000);
  }
  const after = await readEtcd(planes[0] ?? '');
  const elections = (after?.term ?? Number.NaN) - (before?.term ?? Number.NaN);
  console.log(
    `       ${asked} looks: ${silent} without an answer, ${unready} with a node that was not ready; ${elections} elections of etcd`,
  );
  return [
    ...((await cluster.listReadyNodes()).length === size ? [] : ['not all are ready at the end']),
    ...(after?.members === 3 ? [] : ['etcd does not have three members']),
    ...(await cluster.settledPlan()),
  ];
});
report.close();
