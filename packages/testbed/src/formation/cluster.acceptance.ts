// A cluster of real guests as its owner lives with it: formed by one command, its pods reach each other, a worker that dies comes back
// with its disk, one whose disk is gone is replaced, and an upgrade goes by unnoticed. Long minutes:
//   npm run acceptance cluster [PART ...]      of: pods kill disk upgrade
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeAcceptanceReport } from '../daemon/acceptance-report.ts';
import { RealLab, until } from '../daemon/real-lab.ts';
import { GuestCluster } from './guest-cluster.ts';
import { probeService } from './service-probe.ts';
import { ensureTestImages } from './test-images.ts';

const minutes = 60_000;
const parts = ['pods', 'kill', 'disk', 'upgrade'] as const;
const chosen = new Set(process.argv.slice(2).length === 0 ? parts : process.argv.slice(2));
const [before, after] = ['1.20.2', '1.20.3'];

const example = await readFile(join(import.meta.dirname, '../../../../examples/home/lab.yaml'), 'utf8');
const text = example.replaceAll('    role: worker\n', '    role: worker\n    heal: replace\n');
await using lab = await RealLab.make(text);
const report = makeAcceptanceReport('cluster');
const cluster = await GuestCluster.make(lab);
await ensureTestImages();

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  strategy: { rollingUpdate: { maxUnavailable: 0 } }
  template:
    metadata: { labels: { app: web } }
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - { weight: 100, podAffinityTerm: { labelSelector: { matchLabels: { app: web } }, topologyKey: kubernetes.io/hostname } }
      terminationGracePeriodSeconds: 30
      containers:
        - name: web
          image: labwright.local/web:1
          ports: [{ containerPort: 80 }]
          readinessProbe: { httpGet: { path: /, port: 80 }, periodSeconds: 2, timeoutSeconds: 5 }
          # Named by everybody for a moment longer than it is ready.
          lifecycle: { preStop: { exec: { command: [sleep, '15'] } } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }] }
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { minAvailable: 1, selector: { matchLabels: { app: web } } }
`;

await report.check('`rehearse --detach` ends with three ready nodes, and the plan is empty', async () => {
  await lab.expect('rehearse', '--detach');
  await cluster.connect();
  const nodes = await cluster.listReadyNodes();
  return [...(nodes.length === 3 ? [] : [`ready: ${nodes.join(', ')}`]), ...(await cluster.planned())];
});

await report.check('two pods of a Deployment answer on the node port of each machine', async () => {
  await cluster.apply('web', web);
  await cluster.run('rollout', 'status', 'deployment/web', '--timeout=300s');
  const pods = (await cluster.run('get', 'pods', '-l=app=web', '-o=jsonpath={.items[*].metadata.name}')).split(' ');
  for (const { name, address } of lab.blueprint.machines) {
    // kube-proxy of a machine without KVM needs its time; from then on both answer.
    const answered = new Set<string>();
    await until(`both pods answer through ${name}`, 2 * minutes, async () => {
      const said = await lab.fetchFromLaptop(`http://${address}:30080/cgi-bin/hostname`);
      if (said !== undefined) answered.add(said.trim());
      return pods.every((pod) => answered.has(pod)) ? true : undefined;
    });
  }
  return [];
});

if (chosen.has('pods')) {
  await report.check('pods on different machines reach each other, and a Service by its name', async () => {
    const pods = await cluster.listPods('web');
    const wrongs: string[] = [];
    if (new Set(pods.map(({ node }) => node)).size !== 2)
      wrongs.push(`they are on ${pods.map(({ node }) => node).join(', ')}`);
    const ask = async (from: string, url: string) => await cluster.runIn(from, 'wget', '-q', '-O', '-', url);
    for (const { name: from } of pods) {
      for (const { name: to, ip } of pods) {
        const said = await ask(from, `http://${ip}/cgi-bin/hostname`);
        if (said !== to) wrongs.push(`${from} asked ${to} and heard ${said}`);
      }
      const said = await ask(from, 'http://web.default.svc.cluster.local/');
      if (!said.includes('served by')) wrongs.push(`${from} asked for web by name and heard ${said}`);
    }
    return wrongs;
  });
}

if (chosen.has('kill')) {
  await report.check('a worker whose power was cut comes back by itself, with its disk', async () => {
    await lab.on('node103', 'echo kept | sudo tee /srv/kept > /dev/null && sync');
    const boot = await lab.on('node103', 'cat /proc/sys/kernel/random/boot_id');
    await lab.cutPower('node103');
    await until('node103 runs again', 10 * minutes, async () => {
      const now = await lab.on('node103', 'cat /proc/sys/kernel/random/boot_id');
      return now !== undefined && now !== boot ? true : undefined;
    });
    await cluster.untilReady(['node101', 'node102', 'node103'], 10 * minutes);
    const kept = await lab.on('node103', 'cat /srv/kept');
    return [
      ...(kept === 'kept' ? [] : [`what was written before is ${kept ?? 'gone'}`]),
      ...(await cluster.settledPlan()),
    ];
  });
}

if (chosen.has('upgrade')) {
  await report.check(`${before} to ${after}, killed in the middle and run again`, async () => {
    const service = lab.blueprint.machines.map(({ address }) => `http://${address}:30080/`);
    const quiet = await probeService(lab, service, async () => await delay(5 * minutes));
    await writeFile(lab.labFile, text.replace(`version: ${before}`, `version: ${after}`));
    const [begunAt, eventsBefore] = [Date.now(), lab.events.length];
    const busy = await probeService(lab, service, async () => {
      const first = lab.begin('cluster', 'upgrade', '--yes');
      await lab.waitForEvent(
        'the first machine is upgraded',
        (event) => event.type === 'step' && event.step.startsWith('cluster.upgrade') && event.state === 'started',
        15 * minutes,
        0,
      );
      await delay(20_000);
      first.kill('SIGKILL');
      await lab.killServe();
      await lab.expect('cluster', 'upgrade', '--yes');
    });
    console.log(`       without upgrade ${quiet.asked} asked in ${quiet.seconds} s, ${quiet.missed} missed`);
    console.log(`       with upgrade    ${busy.asked} asked in ${busy.seconds} s, ${busy.missed} missed`);
    for (const miss of busy.misses) console.log(`         ${miss}`);
    if (busy.missed > 0) console.log('       what the upgrade did meanwhile');
    for (const event of busy.missed > 0 ? lab.events.slice(eventsBefore) : []) {
      if (event.type !== 'step') continue;
      const words = 'detail' in event ? event.detail : event.state;
      console.log(`         ${Math.round((event.at - begunAt) / 1000)} s ${event.target}: ${words}`);
    }
    const nodes = await cluster.untilReady(['node101', 'node102', 'node103'], 5 * minutes);
    return [
      ...(nodes.every((node) => node.endsWith(` ${after}`)) ? [] : [`nodes: ${nodes.join(', ')}`]),
      ...(busy.missed <= quiet.missed
        ? []
        : [`${busy.missed} answers were missed, ${quiet.missed} without an upgrade`]),
      ...(await cluster.settledPlan()),
    ];
  });
}

if (chosen.has('disk')) {
  await report.check(
    'a worker whose disk is gone is replaced by itself: a new disk, and a node of its own',
    async () => {
      const fetchNode = async (path: string) => await cluster.run('get', 'node', 'node103', `-o=jsonpath={${path}}`);
      const before = await fetchNode('.metadata.uid');
      await lab.on('node103', 'echo lost | sudo tee /srv/lost > /dev/null && sync');
      await lab.failDisk('node103');
      await until('the node of its former disk is gone, and there is a new one', 15 * minutes, async () => {
        const now = await fetchNode('.metadata.uid').catch(() => '');
        return now === '' || now === before ? undefined : true;
      });
      await cluster.untilReady(['node101', 'node102', 'node103'], 10 * minutes);
      const disk = await lab.on('node103', 'cat /srv/lost 2> /dev/null || echo new');
      return [
        ...(disk === 'new' ? [] : [`on its disk is ${disk ?? 'what nobody could read'}`]),
        ...(await cluster.settledPlan()),
      ];
    },
  );
}
report.close();
