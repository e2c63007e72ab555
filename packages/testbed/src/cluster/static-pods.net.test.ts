// The static pods that the real kubeadm writes from our configuration and patches. It has no option for where it writes them,
// so it runs where /etc can be covered.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { formatInitConfig } from '@labwright/cluster/kubeadm/kubeadm-config';
import { makeStaticPodPatches } from '@labwright/cluster/kubeadm/static-pod-patches';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { Secret } from '@labwright/core/ports/secret';
import { describe, expect, test } from 'vitest';
import { findPrograms, testVersion } from '../kubernetes/binaries.ts';

const found = await findPrograms();
const run = promisify(execFile);
const machine = { name: hostName('node101'), address: ipv4('10.1.1.1'), role: 'control-plane' } as const;

function makeCluster(slow: boolean): ClusterBlueprint {
  return {
    version: testVersion,
    endpoint: { name: 'kube.home.arpa', address: ipv4('10.1.0.10'), port: 6443 },
    podNetwork: 'routed',
    pods: cidr('10.244.0.0/16'),
    services: cidr('10.96.0.0/16'),
    dnsAddress: ipv4('10.96.0.10'),
    dnsDomain: 'cluster.local',
    slow,
  };
}

describe.skipIf(found.kind === 'missing')('static pods', () => {
  const writeStaticPods = async (slow: boolean): Promise<string> => {
    if (found.kind === 'missing') throw new Error(found.why);
    const cluster = makeCluster(slow);
    const folder = await mkdtemp('/run/static-pods-');
    const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
    await Promise.all([upper, work].map((path) => mkdir(path)));
    await run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=/etc,upperdir=${upper},workdir=${work}`, '/etc']);
    try {
      for (const file of makeStaticPodPatches(cluster)) {
        if ('target' in file) continue;
        await mkdir(dirname(file.path), { recursive: true });
        await writeFile(file.path, file.content);
      }
      const config = join(folder, 'init.yaml');
      const token = new Secret('abcdef.0123456789abcdef');
      const lab = { lab: labId('home'), cluster, controlPlanes: [machine] };
      await writeFile(config, formatInitConfig(lab, machine, token));
      const patches = ['--experimental-patches', '/etc/kubernetes/patches'];
      const { kubeadm } = found.programs.kubernetes;
      await run(kubeadm, ['init', 'phase', 'control-plane', 'all', '--config', config, ...patches]);
      await run(kubeadm, ['init', 'phase', 'etcd', 'local', '--config', config, ...patches]);
      const { stdout } = await run('sh', ['-c', 'cat /etc/kubernetes/manifests/*.yaml']);
      return stdout;
    } finally {
      await run('umount', ['/etc']);
    }
  };

  test.each([true, false])('etcd asks for what a kubelet knows of from its first moment on, slow: %s', async (slow) => {
    const pods = await writeStaticPods(slow);
    expect(pods).toContain('memory: 100Mi');
    expect(pods).not.toContain('ephemeral-storage');
  });

  test('on a slow host: our patience, and our addresses', async () => {
    const pods = await writeStaticPods(true);
    expect(pods.match(/timeoutSeconds: 60/g)).toHaveLength(8);
    expect(pods.match(/failureThreshold: 60/g)).toHaveLength(4);
    expect(pods.match(/--leader-elect-lease-duration=60s/g)).toHaveLength(2);
    for (const words of ['--heartbeat-interval=500', '--election-timeout=5000', '--node-monitor-grace-period=120s']) {
      expect(pods).toContain(words);
    }
    expect(pods).toContain('--advertise-address=10.1.1.1');
    expect(pods).toContain('--enable-priority-and-fairness=false');
    expect(pods).not.toMatch(/periodSeconds: 1$/m);
  });

  test('on hardware: the defaults, and metrics that can be seen from elsewhere', async () => {
    const pods = await writeStaticPods(false);
    expect(pods).not.toMatch(/lease-duration|heartbeat|node-monitor|timeoutSeconds: 60|fairness/);
    expect(pods.match(/--bind-address=0\.0\.0\.0/g)).toHaveLength(2);
    expect(pods).toContain('--listen-metrics-urls=http://0.0.0.0:2381');
    // Whom the probes ask: 0.0.0.0 as a destination is the machine itself (Linux, ip(7)).
    const hosts = new Set([...pods.matchAll(/^ {8}host: (.*)$/gm)].map((match) => match[1]));
    expect(hosts).toEqual(new Set(['0.0.0.0', '10.1.1.1']));
  });
});
