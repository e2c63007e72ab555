// The unit that keeps routes to pods, run by a real shell in network namespaces as two machines, against a real API server and with
// a kubelet's own login. Nothing of Labwright runs beside it.
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeOwnObjects } from '@labwright/cluster/formation/cluster-objects';
import { makeNodeProvision } from '@labwright/cluster/formation/node-provision';
import { makePodNetworkFile } from '@labwright/cluster/formation/pod-range';
import { issueClientLogin } from '@labwright/cluster/pki/logins';
import { formatKubeconfig } from '@labwright/cluster/pki/kubeconfig';
import { makeClusterPki, type ClusterPki } from '@labwright/cluster/pki/pki';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { deleteNode } from '@labwright/drivers/kubernetes/nodes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms, testVersion } from '../kubernetes/binaries.ts';
import { type ControlPlane, startControlPlane } from '../kubernetes/control-plane.ts';
import { fakeNode, type FakeNode } from '../kubernetes/fake-node.ts';
import { makeLan, type Peer } from '../network/lan.ts';
import { nodeRoot } from '../roots.ts';

const found = await findPrograms();
const { signal } = new AbortController();
const lab = labId('home');
const serverAddress = '10.81.0.9';

const cluster: ClusterBlueprint = {
  version: testVersion,
  endpoint: { name: 'kube.test', address: ipv4(serverAddress), port: 6443 },
  podNetwork: 'routed',
  pods: cidr('10.244.0.0/16'),
  services: cidr('10.96.0.0/16'),
  dnsAddress: ipv4('10.96.0.10'),
  dnsDomain: 'cluster.local',
  slow: false,
};

/** A machine: a network namespace, a Debian root like a real one's, and a folder of its own. */
interface Machine {
  readonly peer: Peer;
  readonly folder: string;
  readonly run: (...command: readonly string[]) => Promise<string>;
  readonly start: () => ChildProcess;
}

describe.skipIf(found.kind === 'missing')('routes to pods', () => {
  let plane: ControlPlane;
  let pki: ClusterPki;
  let scratch: string;
  let root: string;
  const nodes: FakeNode[] = [];
  const running: ChildProcess[] = [];
  let one: Machine;
  let other: Machine;

  beforeAll(async () => {
    if (found.kind === 'missing') return;
    scratch = await mkdtemp(join(tmpdir(), 'labwright-routes-'));
    root = await nodeRoot();
    const lan = await makeLan('routes-lan', `${serverAddress}/22`);
    pki = await makeClusterPki(lab, Date.now());
    plane = await startControlPlane({
      programs: found.programs,
      addresses: [serverAddress],
      authority: { certificate: pki.ca.certificate, key: pki.ca.privateKey.reveal() },
    });
    for (const object of makeOwnObjects(lab).objects) await plane.connection.apply(object, { signal });
    one = await makeMachine(await lan.addPeer('node101', '02:1a:b0:00:01:01', '10.81.1.1/22'));
    other = await makeMachine(await lan.addPeer('node102', '02:1a:b0:00:01:02', '10.81.1.2/22'));
    await addNode('node101', '10.81.1.1', '10.244.0.0/24');
    await addNode('node102', '10.81.1.2', '10.244.1.0/24');
  });
  afterAll(async () => {
    await Promise.all(running.map(stop));
    await Promise.all(nodes.map((node) => node.stop()));
    await plane?.stop();
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  });

  const addNode = async (name: string, address: string, podCidr: string): Promise<void> => {
    nodes.push(await fakeNode(plane.connection, name, { address, podCidr }));
  };

  async function makeMachine(peer: Peer): Promise<Machine> {
    const { name } = peer;
    const folder = join(scratch, name);
    await mkdir(join(folder, 'bin'), { recursive: true });
    const user = `system:node:${name}`;
    const login = { user, groups: ['system:nodes'], validForMs: 3600_000 };
    const issued = await issueClientLogin(pki, login, Date.now());
    const server = `https://${plane.connection.endpoint}`;
    const config = formatKubeconfig({
      cluster: 'kubernetes',
      server,
      ca: pki.ca.certificate,
      user: { name: user, ...issued },
    });
    await writeFile(join(folder, 'kubelet.conf'), config, { mode: 0o600 });
    const provision = makeNodeProvision(cluster, { name: hostName(name), role: 'worker' });
    const script = provision.files.find(({ path }) => path.endsWith('/routes'));
    await writeFile(join(folder, 'routes'), script?.content ?? '', { mode: 0o755 });
    const template = provision.files.find(({ path }) => path.endsWith('/pods.conflist'));
    await writeFile(join(folder, 'pods.conflist'), template?.content ?? '');
    const kubectl = dirname(found.kind === 'there' ? found.programs.kubernetes.kubectl : '');
    const environment = [
      'env',
      `PATH=${kubectl}:/usr/sbin:/usr/bin`,
      `LABWRIGHT_KUBECONFIG=${folder}/kubelet.conf`,
      `LABWRIGHT_CNI_FOLDER=${folder}/cni`,
      `LABWRIGHT_CNI_TEMPLATE=${folder}/pods.conflist`,
      `LABWRIGHT_NODE=${name}`,
    ];
    const options = { root, binds: [scratch, kubectl] };
    return {
      peer,
      folder,
      run: async (...command) => {
        const { exitCode, stdout, stderr } = await peer.exec([...environment, ...command], options);
        if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
        return stdout;
      },
      start: () => {
        const child = peer.spawn([...environment, `${folder}/routes`], options);
        running.push(child);
        return child;
      },
    };
  }

  const ownRoutes = async (machine: Machine): Promise<readonly string[]> => {
    const text = await machine.run('ip', '-4', 'route', 'show', 'proto', '76');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.trim());
  };

  test('each machine gets the other ranges as routes and its own as the network of its pods', async () => {
    one.start();
    other.start();
    await expect.poll(() => ownRoutes(one), { timeout: 15_000 }).toEqual(['10.244.1.0/24 via 10.81.1.2 dev eth0']);
    await expect.poll(() => ownRoutes(other), { timeout: 15_000 }).toEqual(['10.244.0.0/24 via 10.81.1.1 dev eth0']);
    const text = await readFile(join(one.folder, 'cni/10-labwright.conflist'), 'utf8');
    const pushed = makePodNetworkFile('10.244.0.0/24');
    // The very file that a machine gets when it joins: otherwise the unit would replace it, and the bridge with it.
    expect('content' in pushed ? pushed.content : '').toBe(text);
    const config = JSON.parse(text) as object;
    expect(config).toMatchObject({
      cniVersion: '0.3.1',
      plugins: [
        { type: 'bridge', ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.0.0/24' }]] } },
        { type: 'portmap' },
      ],
    });
  });

  test('what pods send beyond their network gets the machine’s address, and nothing else does', async () => {
    const rules = await one.run('iptables', '-w', '-t', 'nat', '-S');
    expect(rules.split('\n').filter((rule) => rule.includes('LABWRIGHT'))).toEqual([
      '-N LABWRIGHT-PODS',
      '-A POSTROUTING -j LABWRIGHT-PODS',
      '-A LABWRIGHT-PODS ! -s 10.244.0.0/16 -j RETURN',
      '-A LABWRIGHT-PODS -d 10.244.0.0/16 -j RETURN',
      '-A LABWRIGHT-PODS -d 224.0.0.0/4 -j RETURN',
      '-A LABWRIGHT-PODS -j MASQUERADE',
    ]);
  });

  test('a machine that comes gets its route, one that goes loses it', async () => {
    await addNode('node103', '10.81.1.3', '10.244.2.0/24');
    await expect.poll(() => ownRoutes(one)).toContain('10.244.2.0/24 via 10.81.1.3 dev eth0');
    await nodes.pop()?.stop();
    await deleteNode(plane.connection, 'node103', { signal });
    await expect.poll(() => ownRoutes(one)).toEqual(['10.244.1.0/24 via 10.81.1.2 dev eth0']);
  });

  test('a route that is not ours is left alone, and said so', async () => {
    await one.run('ip', 'route', 'add', '10.244.9.0/24', 'via', '10.81.1.200');
    await addNode('node109', '10.81.1.9', '10.244.9.0/24');
    await expect.poll(async () => (await ownRoutes(other)).length).toBe(2);
    expect(await one.run('ip', 'route', 'show', '10.244.9.0/24')).toBe('10.244.9.0/24 via 10.81.1.200 dev eth0 \n');
  });

  test('started again after a while: what is stale goes, of ours only', async () => {
    await Promise.all(running.splice(0).map(stop));
    await one.run('ip', 'route', 'add', '10.244.77.0/24', 'via', '10.81.1.77', 'proto', '76');
    await one.run('ip', 'route', 'add', '10.9.0.0/16', 'via', '10.81.1.77');
    one.start();
    await expect.poll(() => ownRoutes(one), { timeout: 15_000 }).toEqual(['10.244.1.0/24 via 10.81.1.2 dev eth0']);
    expect(await one.run('ip', 'route', 'show', '10.9.0.0/16')).toContain('10.81.1.77');
  });

  test('a silent API takes no route away, and what changed meanwhile is seen afterwards', async () => {
    const [child] = running;
    const [server] = plane.apiServers;
    await server.kill();
    if (child !== undefined) await ended(child);
    expect(await ownRoutes(one)).toEqual(['10.244.1.0/24 via 10.81.1.2 dev eth0']);
    // As systemd does: started again at once, it waits for the API.
    running.splice(0);
    one.start();
    await server.start();
    await addNode('node104', '10.81.1.4', '10.244.4.0/24');
    await expect.poll(() => ownRoutes(one), { timeout: 15_000 }).toContain('10.244.4.0/24 via 10.81.1.4 dev eth0');
  });
});

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => child.once('exit', () => resolve()));
}

async function stop(child: ChildProcess): Promise<void> {
  // `ip netns exec` became the shell itself; its kubectl ends when the pipe to the shell breaks, at its next line, or with the test.
  child.kill('SIGKILL');
  await ended(child);
}
