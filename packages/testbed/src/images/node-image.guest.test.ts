// The image of a control plane in a real guest: everything it needs is in it, and kubeadm makes a control plane of it by hand.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import { ensureNodeImage, type NodeImage } from '@labwright/images/kubernetes/node-image';
import { ensureKubernetesRelease } from '@labwright/images/kubernetes/release';
import type { IgnitionMachine } from '@labwright/netboot/ignition/ignition-config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findKubernetesMirror, testVersion } from '../kubernetes/binaries.ts';
import { testCacheDirectory, toolsRoot } from '../roots.ts';
import { ImageGuest } from './image-guest.ts';

const minutes = 60_000;
const run = promisify(execFile);
let folder: string;
let tools: string;
let image: NodeImage;

const kubeadmConfig = `apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
nodeRegistration:
  name: node101
  criSocket: /run/containerd/containerd.sock
localAPIEndpoint:
  advertiseAddress: 10.0.2.15
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
networking:
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/16
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
`;

const podNetwork = JSON.stringify({
  cniVersion: '0.3.1',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.244.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
});

/** Runs once the machine is up, and tells the boot server what it finds. */
const probe = `#!/bin/bash
. /etc/labwright/machine
tell() { printf '%s' "$*" | curl -s --retry 60 --retry-delay 1 --retry-all-errors -H 'Content-Type: text/plain' --data-binary @- "$LABWRIGHT_SERVER/b/TOKEN/progress"; }
uptime() { cut -d ' ' -f 1 /proc/uptime; }
tell "containerd $(systemctl is-active containerd) $(uptime)"
tell "kubelet $(systemctl is-active kubelet) $(systemctl is-enabled kubelet)"
tell "cgroup $(stat -f -c %T /sys/fs/cgroup)"
tell "images $(ctr -n k8s.io images ls -q | tr '\\n' ' ')"
tell "analysis $(systemd-analyze time) $(systemd-analyze blame | head -n 25)"
tell "memory $(free -m | sed -n 2p)"
tell "init-begins $(uptime)"
if kubeadm init --config /root/kubeadm.yaml --skip-phases=preflight,addon/coredns > /root/kubeadm.log 2>&1; then
  tell "init-ended $(uptime) $(tail -n 3 /root/kubeadm.log)"
else
  tell "init-ended $(uptime) $(tail -n 30 /root/kubeadm.log) $(journalctl -u kubelet --no-pager | tail -n 20)"
fi
export KUBECONFIG=/etc/kubernetes/admin.conf
kubectl wait --for=condition=Ready node/node101 --timeout=300s > /root/wait.log 2>&1
tell "node $(uptime) $(kubectl get nodes --no-headers)"
kubectl -n kube-system wait --for=condition=Ready pod --all --timeout=300s > /root/wait.log 2>&1
tell "pods $(uptime) $(kubectl -n kube-system get pods --no-headers)"
tell "rules $(iptables-save -t nat | grep -c KUBE)"
tell "containers $(ctr -n k8s.io images ls -q | grep -vc sha256) $(free -m | sed -n 2p) $(grep WARN /root/kubeadm.log)"
tell "end"
`;

const ignition: IgnitionMachine = {
  hostname: hostName('node101'),
  domain: 'home.arpa',
  user: { name: 'ops', authorizedKeys: [] },
  network: {
    mac: mac('02:1a:b0:00:01:01'),
    address: ipv4('10.0.2.15'),
    prefixLength: 24,
    gateway: ipv4('10.0.2.2'),
    resolvers: [ipv4('10.0.2.3')],
  },
  files: [
    { path: '/root/kubeadm.yaml', mode: 0o600, content: kubeadmConfig },
    { path: '/root/probe', mode: 0o755, content: probe },
    { path: '/etc/cni/net.d/10-pods.conflist', mode: 0o644, content: podNetwork },
  ],
  units: [
    {
      name: 'probe.service',
      enabled: true,
      content: [
        '[Unit]',
        'After=containerd.service ssh.service',
        '[Service]',
        'ExecStart=/root/probe',
        '[Install]',
        'WantedBy=multi-user.target',
        '',
      ].join('\n'),
    },
  ],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-guest-'));
  tools = await toolsRoot();
  const context = {
    cacheDir: testCacheDirectory(),
    signal: AbortSignal.timeout(15 * minutes),
    onProgress: (message: string) => console.log(message),
  };
  const mirror = await findKubernetesMirror(context);
  const release = await ensureKubernetesRelease(
    { version: testVersion, ...(mirror === undefined ? {} : { mirror }) },
    context,
  );
  image = await ensureNodeImage({ role: 'control-plane', release }, context);
}, 16 * minutes);

afterAll(async () => await rm(folder, { recursive: true, force: true }));

test('a control plane has everything in it, and kubeadm pulls nothing', { timeout: 25 * minutes }, async () => {
  const disk = join(folder, 'disk.raw');
  await run('truncate', ['--size=16G', disk]);
  await using guest = await ImageGuest.start({
    tools,
    image,
    disk,
    boot: { from: 'network', machine: 'node101', generation: 1 },
    ignition,
    memoryMiB: 3072,
    kernelArguments: image.kernelArguments,
  });
  const tell = async (beginning: string, timeoutMs: number): Promise<string> => {
    const { seconds, text } = await guest.waitFor(`${beginning} `, timeoutMs);
    console.log(`${seconds} s: ${text}`);
    return text;
  };
  await tell('installed', 6 * minutes);
  expect(await tell('containerd', 5 * minutes)).toMatch(/^containerd active/);
  expect(await tell('kubelet', 2 * minutes)).toBe('kubelet inactive enabled');
  await tell('cgroup', 2 * minutes);
  const images = await tell('images', 2 * minutes);
  for (const name of image.images) expect(images.split(' ')).toContain(name);
  await tell('analysis', 2 * minutes);
  await tell('memory', 2 * minutes);
  await tell('init-begins', 2 * minutes);
  expect(await tell('init-ended', 8 * minutes)).toMatch(/kubeadm join/);
  expect(await tell('node', 6 * minutes)).toMatch(/node101 +Ready /);
  const pods = await tell('pods', 6 * minutes);
  for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy', 'kube-scheduler']) {
    expect(pods).toMatch(new RegExp(`${name}-\\S+ +1/1 +Running`));
  }
  expect(Number((await tell('rules', 2 * minutes)).split(' ')[1])).toBeGreaterThan(3);
  await tell('containers', 2 * minutes);
});
