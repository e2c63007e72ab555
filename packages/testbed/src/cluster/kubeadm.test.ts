// What we make, held against the real kubeadm: it takes our keys, certificates and logins as they are, and our configuration.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { formatInitConfig, formatJoinConfig, type KubeadmLab } from '@labwright/cluster/kubeadm/kubeadm-config';
import { makeStaticPodPatches } from '@labwright/cluster/kubeadm/static-pod-patches';
import { makeControlPlaneFiles, makeKubeletFiles, type PushedFile } from '@labwright/cluster/pki/control-plane-files';
import { makeClusterPki } from '@labwright/cluster/pki/pki';
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { Secret } from '@labwright/core/ports/secret';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPrograms, testVersion } from '../kubernetes/binaries.ts';

const found = await findPrograms();
const lab = labId('home+rehearsal');
const token = new Secret('abcdef.0123456789abcdef');
const machine = { name: hostName('node101'), address: ipv4('10.1.1.1'), role: 'control-plane' } as const;
const worker = { name: hostName('node102'), address: ipv4('10.1.1.2'), role: 'worker' } as const;
const cluster: ClusterBlueprint = {
  version: testVersion,
  endpoint: { name: 'kube.home.arpa', address: ipv4('10.1.0.10'), port: 6443 },
  podNetwork: 'routed',
  pods: cidr('10.244.0.0/16'),
  services: cidr('10.96.0.0/16'),
  dnsAddress: ipv4('10.96.0.10'),
  dnsDomain: 'cluster.local',
  slow: true,
};
const kubeadmLab: KubeadmLab = { lab, cluster, controlPlanes: [machine] };

describe.skipIf(found.kind === 'missing')('kubeadm', () => {
  let directory: string;
  let config: string;
  let files: readonly PushedFile[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'labwright-kubeadm-'));
    const pki = await makeClusterPki(lab, Date.now());
    files = [
      ...(await makeControlPlaneFiles(pki, cluster, machine, [machine], Date.now())),
      ...(await makeKubeletFiles(pki, machine, `https://${machine.address}:${cluster.endpoint.port}`, Date.now())),
      ...makeStaticPodPatches(cluster),
    ];
    for (const file of files) {
      const path = join(directory, file.path);
      await mkdir(dirname(path), { recursive: true });
      if ('target' in file) await symlink(join(directory, file.target), path);
      else await writeFile(path, file.content, { mode: file.mode });
    }
    config = join(directory, 'init.yaml');
    // On a machine the folder is /etc/kubernetes/pki, kubeadm's own default.
    const text = formatInitConfig(kubeadmLab, machine, token);
    await writeFile(
      config,
      text.replace('clusterName:', `certificatesDir: ${directory}/etc/kubernetes/pki\nclusterName:`),
    );
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  const kubeadm = async (...argv: readonly string[]): Promise<string> => {
    if (found.kind === 'missing') throw new Error(found.why);
    const { stdout, stderr } = await promisify(execFile)(found.programs.kubernetes.kubeadm, argv, { timeout: 30_000 });
    return stdout + stderr;
  };

  test('makes no key and no certificate of its own, and changes none of ours', async () => {
    const said = await kubeadm('init', 'phase', 'certs', 'all', '--config', config);
    expect(said.split('\n').filter((line) => /generating/i.test(line))).toEqual([]);
    const existing = said.split('\n').filter((line) => /using (the )?existing/i.test(line));
    expect(existing).toHaveLength(11);
    for (const file of files) {
      if ('target' in file) continue;
      expect(await readFile(join(directory, file.path), 'utf8')).toBe(file.content);
    }
  });

  test('keeps the logins we made', async () => {
    const folder = join(directory, 'etc/kubernetes');
    const said = await kubeadm('init', 'phase', 'kubeconfig', 'all', '--config', config, '--kubeconfig-dir', folder);
    for (const name of ['admin', 'kubelet', 'controller-manager', 'scheduler']) {
      expect(said).toContain(`Using existing kubeconfig file: "${folder}/${name}.conf"`);
    }
    expect(said).not.toMatch(/writing "/i);
  });

  test('sees every certificate end in a year', async () => {
    const said = await kubeadm('certs', 'check-expiration', '--config', config);
    const leafs = said
      .split('\n')
      .filter((line) => /^(apiserver|etcd|front-proxy-client)/.test(line) && / no /.test(line));
    expect(leafs.filter((line) => line.includes('364d'))).toHaveLength(7);
  });

  test('takes our configuration and names the images of the release', async () => {
    const images = await kubeadm('config', 'images', 'list', '--config', config);
    expect(images).toContain(`kube-apiserver:v${testVersion}`);
  });

  test.each([machine, worker])('takes our file for joining as $role', async (joining) => {
    const discovery = join(directory, 'discovery.conf');
    await writeFile(discovery, 'apiVersion: v1\nkind: Config\n');
    const file = join(directory, 'join.yaml');
    const text = formatJoinConfig(kubeadmLab, joining, token);
    await writeFile(file, text.replace(/kubeConfigPath: .*/, `kubeConfigPath: ${discovery}`));
    const migrated = await kubeadm('config', 'migrate', '--old-config', file);
    expect(migrated).toContain('kind: JoinConfiguration');
    expect(migrated).toContain(`node-ip: ${joining.address}`);
    expect(migrated.includes('controlPlane:')).toBe(joining.role === 'control-plane');
  });
});
