// A cluster of real guests as its owner lives with it: formed by one command, its pods reach each other, a worker that dies comes back
// with its disk, one whose disk is gone is replaced, certificates are renewed, a snapshot is restored, and an upgrade goes by
// unnoticed. Long minutes:
//   npm run acceptance cluster [PART ...]      of: pods kill certs restore disk upgrade
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeAcceptanceReport } from '../daemon/acceptance-report.ts';
import { RealLab, until } from '../daemon/real-lab.ts';
import { GuestCluster } from './guest-cluster.ts';
import { probeService } from './service-probe.ts';
import { ensureTestImages } from './test-images.ts';

const minutes = 60_000;
const parts = ['pods', 'kill', 'certs', 'restore', 'disk', 'upgrade'] as const;
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

/** Until every pod was heard through the node port of every machine. */
async function untilAllAnswer(): Promise<void> {
  // Without those that are on their way out, which answer nobody.
  const pods = (await cluster.listPods('web')).map(({ name }) => name);
  for (const { name, address } of lab.blueprint.machines) {
    // kube-proxy of a machine without KVM needs its time; from then on both answer.
    const answered = new Set<string>();
    await until(`both pods answer through ${name}`, 5 * minutes, async () => {
      const said = await lab.fetchFromLaptop(`http://${address}:30080/cgi-bin/hostname`);
      if (said !== undefined) answered.add(said.trim());
      return pods.every((pod) => answered.has(pod)) ? true : undefined;
    });
  }
}

await report.check('two pods of a Deployment answer on the node port of each machine', async () => {
  await cluster.apply('web', web);
  await cluster.run('rollout', 'status', 'deployment/web', '--timeout=300s');
  await untilAllAnswer();
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

if (chosen.has('certs')) {
  await report.check('a certificate that ends soon is renewed, and everything uses the new ones', async () => {
    // As kubeadm made it, but for ten days.
    const made = await lab.on(
      'node101',
      `sudo sh -euc 'cd /etc/kubernetes/pki
echo extendedKeyUsage=clientAuth > /run/short.cnf
openssl req -new -key front-proxy-client.key -subj /CN=front-proxy-client |
  openssl x509 -req -CA front-proxy-ca.crt -CAkey front-proxy-ca.key -CAcreateserial -days 10 -extfile /run/short.cnf -out /run/short.crt
cp /run/short.crt front-proxy-client.crt; rm -f front-proxy-ca.srl' 2>&1 && echo made`,
    );
    if (made?.endsWith('made') !== true) throw new Error(`no certificate was made: ${made ?? 'no answer'}`);
    const servedBy = async (): Promise<string | undefined> =>
      await lab.on(
        'node101',
        'sudo openssl s_client -connect 127.0.0.1:6443 < /dev/null 2> /dev/null | openssl x509 -noout -serial',
      );
    const before = await servedBy();
    const planned = await lab.expect('cluster', 'renew', '--yes');
    await cluster.untilReady(['node101', 'node102', 'node103'], 5 * minutes);
    const certificates = await lab.expect('cluster', 'certs');
    const after = await servedBy();
    return [
      ...(planned.includes('renew the certificates') ? [] : [`nothing was renewed: ${planned}`]),
      ...(certificates.includes('ends soon') ? [`one still ends soon: ${certificates}`] : []),
      ...(after !== undefined && after !== before
        ? []
        : [`the API server has certificate ${after ?? 'none'}, before ${before}`]),
      ...(await cluster.settledPlan()),
    ];
  });
}

if (chosen.has('restore')) {
  await report.check(
    'a snapshot is restored: the objects of its time, and everything follows the cluster again',
    async () => {
      const wrongs: string[] = [];
      await cluster.run('create', 'configmap', 'before');
      await lab.expect('cluster', 'snapshot', '--yes');
      const file = (await lab.listSnapshots()).findLast((name) => name.includes('-asked.'));
      if (file === undefined) throw new Error('no snapshot was kept');
      await cluster.run('create', 'configmap', 'after');
      const podsBefore = await cluster.listPods('web');
      await lab.expect('cluster', 'restore', file, '--yes');
      await cluster.untilReady(['node101', 'node102', 'node103'], 5 * minutes);
      const names = (await cluster.run('get', 'configmaps', '-o=jsonpath={.items[*].metadata.name}')).split(' ');
      if (!names.includes('before')) wrongs.push('what was there at the snapshot is not');
      if (names.includes('after')) wrongs.push('what came after the snapshot is still there');
      // Controllers, scheduler, kubelets and kube-proxy each have a part in a pod that comes back.
      for (const { name } of podsBefore) await cluster.run('delete', 'pod', name, '--wait=false');
      await until('there are two other pods', 5 * minutes, async () => {
        const now = await cluster.listPods('web');
        return now.length === 2 && now.every(({ name }) => podsBefore.every((old) => old.name !== name))
          ? true
          : undefined;
      });
      await cluster.run('rollout', 'status', 'deployment/web', '--timeout=300s');
      await untilAllAnswer();
      return [...wrongs, ...(await cluster.settledPlan())];
    },
  );
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
