// What the router issue is about, with real guests: a Service has a name and an address that answers, HTTP or TCP, by what its owner
// applied and nothing more. About fifteen minutes:
//   npm run acceptance exposures
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAcceptanceReport } from '../daemon/acceptance-report.ts';
import { RealLab, until } from '../daemon/real-lab.ts';
import { GuestCluster } from './guest-cluster.ts';
import { ensureTestImages, redisImageName } from './test-images.ts';

const minutes = 60_000;
const example = await readFile(join(import.meta.dirname, '../../../../examples/home/lab.yaml'), 'utf8');
await using lab = await RealLab.make(manageRouter(example));
const report = makeAcceptanceReport('exposures');
const cluster = await GuestCluster.make(lab);
const images = await ensureTestImages();

/** As the example is when its router is Labwright's to set up, balancers and all. */
function manageRouter(text: string): string {
  const managed = text.includes('  manage:')
    ? text
    : text.replace('  kind: pfsense\n', '  kind: pfsense\n  manage: [dhcp, dns, haproxy]\n');
  if (!managed.includes('  manage:')) throw new Error('the router of the example is not as it was');
  return /^exposures:/m.test(managed) ? managed : `${managed}\nexposures: { balancer: router, ingress: router }\n`;
}

const deployment = (name: string, image: string, replicas: number, port: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - { weight: 100, podAffinityTerm: { labelSelector: { matchLabels: { app: ${name} } }, topologyKey: kubernetes.io/hostname } }
      containers:
        - name: ${name}
          image: ${image}
          ports: [{ containerPort: ${port} }]
          readinessProbe: { tcpSocket: { port: ${port} }, periodSeconds: 2, timeoutSeconds: 5 }
---
`;
const service = (name: string, spec: string, annotations = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, annotations: { ${annotations} } }
spec: { selector: { app: ${name} }, ${spec} }
---
`;
const routerAddress = '10.1.0.1';
const webImage = 'labwright.local/web:1';
const manifest = [
  deployment('web', webImage, 2, 80),
  service('web', 'type: LoadBalancer, ports: [{ port: 80 }]', 'labwright.dev/hostname: web.svc'),
  deployment('redis', redisImageName, 1, 6379),
  service('redis', 'type: LoadBalancer, ports: [{ port: 6379 }]', 'dns.pfsense.org/hostname: redis.svc'),
  deployment('shop', webImage, 1, 80),
  service('shop', 'type: NodePort, ports: [{ port: 80 }]'),
  `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: front }
spec:
  rules:
    - host: front.svc
      http:
        paths:
          - { path: /cgi-bin, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
          - { path: /index.html, pathType: Exact, backend: { service: { name: shop, port: { number: 80 } } } }
`,
].join('');

const laptop = async (...words: readonly string[]): Promise<string> =>
  await lab.expectOutput('rehearse', 'exec', '--', ...words);
const podsOf = async (app: string): Promise<readonly string[]> => (await cluster.listPods(app)).map(({ name }) => name);

await report.check('`rehearse --detach` ends with three ready nodes, and the plan is empty', async () => {
  await lab.expect('rehearse', '--detach');
  await cluster.connect();
  const nodes = await cluster.listReadyNodes();
  return [...(nodes.length === 3 ? [] : [`ready: ${nodes.join(', ')}`]), ...(await cluster.settledPlan())];
});

await cluster.apply('exposed', manifest);
for (const name of ['web', 'redis', 'shop'])
  await cluster.run('rollout', 'status', `deployment/${name}`, '--timeout=300s');

await report.check('http://web.svc answers', async () => {
  const said = await until(
    'http://web.svc answers',
    2 * minutes,
    async () => await lab.fetchFromLaptop('http://web.svc/'),
  );
  return said.includes('served by') ? [] : [`it said ${said}`];
});

await report.check('a client of Redis connects by name, with no other step', async () => {
  // Debian's client at the laptop, which knows the name alone; what it wrote is read at the server itself.
  const written = `${Date.now()}`;
  const answer = await until('Redis answers by its name', 2 * minutes, async () => {
    const said = await laptop(...images.redisClient, '-h', 'redis.svc', 'set', 'here', written).catch(() => '');
    return said === '' ? undefined : said;
  });
  const kept = await cluster.runIn((await podsOf('redis'))[0] ?? '', 'redis-cli', 'get', 'here');
  return kept === written ? [] : [`it has ${kept}; the client heard ${answer}`];
});

await report.check('of an Ingress each path reaches its own Service, and a wrong one none', async () => {
  const host = 'http://front.svc';
  const pod = await until(
    'the path of web answers',
    2 * minutes,
    async () => await lab.fetchFromLaptop(`${host}/cgi-bin/hostname`),
  );
  const page = await lab.fetchFromLaptop(`${host}/index.html`);
  const status = await laptop(
    'curl',
    '--silent',
    '--output',
    '/dev/null',
    '--write-out',
    '%{http_code}',
    `${host}/elsewhere`,
  );
  return [
    ...((await podsOf('web')).includes(pod.trim()) ? [] : [`/cgi-bin said ${pod}`]),
    ...(page?.includes('served by') === true ? [] : [`/index.html said ${page}`]),
    ...(/^(404|503)$/.test(status) ? [] : [`a wrong path got ${status}`]),
  ];
});

/** From `kubectl apply` of a Deployment with its Service. A name is asked for at the router, since "not there" is kept for seconds. */
async function firstBytes(
  name: string,
  nodePort: number,
): Promise<{ readonly node: number; readonly balanced: number }> {
  const ports = `ports: [{ port: 80, nodePort: ${nodePort} }]`;
  const client = join(import.meta.dirname, 'first-byte-client.ts');
  const waiting = laptop(process.execPath, client, routerAddress, `${name}.svc`, '80', '10.1.1.2', String(nodePort));
  const startedAt = Date.now();
  await cluster.apply(
    name,
    `${deployment(name, webImage, 1, 80)}${service(name, `type: LoadBalancer, ${ports}`, `labwright.dev/hostname: ${name}.svc`)}`,
  );
  const at = JSON.parse(await waiting) as { readonly node: number; readonly balanced: number };
  return { node: at.node - startedAt, balanced: at.balanced - startedAt };
}

await report.check('the first balanced byte comes hardly later than the first at a node’s port', async () => {
  const taken: { readonly node: number; readonly balanced: number }[] = [];
  for (const [index, name] of ['one', 'two', 'three'].entries()) taken.push(await firstBytes(name, 31_080 + index));
  const ratios = taken.map(({ node, balanced }) => balanced / node).toSorted((a, b) => a - b);
  for (const { node, balanced } of taken) console.log(`       node port ${node} ms, balanced ${balanced} ms`);
  const ratio = ratios[1] ?? Number.POSITIVE_INFINITY;
  console.log(`       ratio ${ratio.toFixed(2)} (median of three)`);
  return ratio <= 1.3 ? [] : [`the ratio is ${ratio.toFixed(2)}`];
});

await report.check('`exposures` and `why` tell of it', async () => {
  const table = await lab.expectOutput('exposures');
  const why = await lab.expectOutput('why', 'web.svc');
  console.log(`${table}\n${why}`);
  return [
    ...['web.svc', 'redis.svc', 'front.svc'].flatMap((name) =>
      table.includes(name) ? [] : [`no ${name} in exposures`],
    ),
    ...(why.includes('web') ? [] : ['why says nothing of web']),
  ];
});
report.close();
