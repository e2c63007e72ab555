// What a cluster keeps outside itself, with real guests: a pod writes to the NAS, dies, comes back on another machine and finds it;
// a pod uses the database by its name, with the password that the lab file refers to. About ten minutes:
//   npm run acceptance storage
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAcceptanceReport } from '../daemon/acceptance-report.ts';
import { RealLab, until } from '../daemon/real-lab.ts';
import { GuestCluster } from './guest-cluster.ts';
import { databaseClientImageName, ensureTestImages } from './test-images.ts';

const minutes = 60_000;
const example = await readFile(join(import.meta.dirname, '../../../../examples/home/lab.yaml'), 'utf8');
const nas = '  nas1: { kind: synology, address: 10.1.0.20, bays: 8 }\n';
const volumes = '/volume1/kubernetes';
const exported = nas.replace(' }', `, exports: [{ path: ${volumes}, for: data }] }`);
if (!example.includes(nas)) throw new Error('the NAS of the example is not as it was');
const text = example.replace(nas, exported).replace(
  '\nkubernetes:\n',
  `
services:
  mariadb:
    kind: mariadb
    nas: nas1
    volume: /volume1/mariadb
    environment: { MARIADB_DATABASE: home, MARIADB_USER: home, MARIADB_PASSWORD: { env: DB_PASSWORD }, MARIADB_ROOT_PASSWORD: { env: DB_ROOT } }

kubernetes:
  secrets: { database: { data: { password: { env: DB_PASSWORD } } } }
`,
);
await using lab = await RealLab.make(text);
const report = makeAcceptanceReport('storage');
const cluster = await GuestCluster.make(lab);
await ensureTestImages();

const keeper = `
apiVersion: v1
kind: PersistentVolume
metadata: { name: kept }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteMany]
  storageClassName: nas
  mountOptions: [nfsvers=4.2]
  nfs: { server: 10.1.0.20, path: ${volumes} }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: kept }
spec: { accessModes: [ReadWriteMany], storageClassName: nas, resources: { requests: { storage: 1Gi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: keeper }
spec:
  replicas: 1
  strategy: { type: Recreate }
  selector: { matchLabels: { app: keeper } }
  template:
    metadata: { labels: { app: keeper } }
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: keeper
          image: labwright.local/web:1
          volumeMounts: [{ name: kept, mountPath: /kept }]
      volumes: [{ name: kept, persistentVolumeClaim: { claimName: kept } }]
`;
const client = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: client }
spec:
  selector: { matchLabels: { app: client } }
  template:
    metadata: { labels: { app: client } }
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: client
          image: ${databaseClientImageName}
          env: [{ name: MYSQL_PWD, valueFrom: { secretKeyRef: { name: database, key: password } } }]
`;

const untilRunning = async (app: string) =>
  await until(`a pod of ${app} runs`, 5 * minutes, async () => (await cluster.listPods(app).catch(() => []))[0]);

await lab.expect('rehearse', '--detach');
await cluster.connect();

await report.check('a pod writes to the NAS, dies, comes back on another machine and reads it', async () => {
  await cluster.apply('keeper', keeper);
  const first = await untilRunning('keeper');
  await cluster.runIn(first.name, 'sh', '-c', 'hostname > /kept/file && sync');
  await cluster.run('cordon', first.node);
  await cluster.run('delete', 'pod', first.name, '--timeout=120s');
  const second = await untilRunning('keeper');
  const kept = await cluster.runIn(second.name, 'cat', '/kept/file');
  const kind = await cluster.runIn(second.name, 'sh', '-c', 'cat /proc/mounts');
  await cluster.run('uncordon', first.node);
  console.log(`       ${first.name} on ${first.node}, then ${second.name} on ${second.node}`);
  return [
    ...(second.node === first.node ? [`both are on ${first.node}`] : []),
    ...(kept === first.name ? [] : [`it reads ${JSON.stringify(kept)}, ${first.name} was written`]),
    ...(/ \/kept nfs4 .*vers=4\.2/.test(kind) ? [] : ['what it has there is not NFS 4.2']),
  ];
});

await report.check('a pod uses the database by its name', async () => {
  await cluster.apply('client', client);
  const pod = await untilRunning('client');
  const query =
    'CREATE TABLE seen (pod TEXT); INSERT INTO seen VALUES (@@hostname); SELECT COUNT(*), VERSION() FROM seen;';
  const said = await cluster.runIn(
    pod.name,
    'mariadb',
    '--host=mariadb.home.arpa',
    '--user=home',
    '-N',
    'home',
    '-e',
    query,
  );
  console.log(`       ${said.replaceAll(/\s+/g, ' ')}`);
  return /^1\s+10\.11.*MariaDB/.test(said) ? [] : [`it said ${said}`];
});

await report.check('and the plan is empty', async () => await cluster.settledPlan());
report.close();
