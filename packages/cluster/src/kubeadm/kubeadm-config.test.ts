import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import type { ClusterRole } from '@labwright/core/blueprint/blueprint';
import { Secret } from '@labwright/core/ports/secret';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { cluster, lab, makeBlueprint } from '../formation/sample-cluster.test-data.ts';
import { formatInitConfig, formatJoinConfig, type KubeadmLab } from './kubeadm-config.ts';
import { makeStaticPodPatches } from './static-pod-patches.ts';

const token = new Secret('abcdef.0123456789abcdef');
const { machines } = makeBlueprint(['control-plane', 'control-plane', 'control-plane', 'worker']);
const controlPlanes = machines.slice(0, 3);

function makeLab(version: string, slow: boolean): KubeadmLab {
  return { lab, cluster: { ...cluster, version: kubernetesVersion(version), slow }, controlPlanes };
}

function machineOf(role: ClusterRole) {
  const machine = machines.find((each) => each.role === role);
  if (machine === undefined) throw new Error(`the sample has a ${role}`);
  return { ...machine, role };
}

test.each([
  ['1.20.2', true],
  ['1.20.2', false],
  ['1.29.4', true],
  ['1.35.4', true],
  ['1.35.4', false],
])('%s, slow: %s', async (version, slow) => {
  const made = makeLab(version, slow);
  const name = `${version}${slow ? '-slow' : ''}`;
  await expect(formatInitConfig(made, machineOf('control-plane'), token)).toMatchFileSnapshot(
    `testdata/init-${name}.yaml`,
  );
  const joins = (['control-plane', 'worker'] as const).map((role) => formatJoinConfig(made, machineOf(role), token));
  await expect(joins.join('---\n')).toMatchFileSnapshot(`testdata/join-${name}.yaml`);
});

test.each([
  ['1.21.14', 'v1beta2'],
  ['1.22.0', 'v1beta3'],
  ['1.30.9', 'v1beta3'],
  ['1.31.0', 'v1beta4'],
])('%s is told in %s', (version, api) => {
  const documents = parseAllDocuments(formatInitConfig(makeLab(version, false), machineOf('control-plane'), token));
  const versions = documents.map((document) => `${String(document.get('kind'))} ${String(document.get('apiVersion'))}`);
  expect(versions).toEqual([
    `InitConfiguration kubeadm.k8s.io/${api}`,
    `ClusterConfiguration kubeadm.k8s.io/${api}`,
    'KubeletConfiguration kubelet.config.k8s.io/v1beta1',
    'KubeProxyConfiguration kubeproxy.config.k8s.io/v1alpha1',
  ]);
});

test('hardware keeps the defaults of every time limit', () => {
  const text = formatInitConfig(makeLab('1.35.4', false), machineOf('control-plane'), token);
  expect(text).not.toMatch(/leader-elect|heartbeat|grace|timeout/i);
  expect(makeStaticPodPatches(makeLab('1.35.4', false).cluster)).toEqual([]);
});

test('etcd of 1.20 and 1.21 asks for no disk space, on hardware too', () => {
  const patchesOf = (version: string) =>
    makeStaticPodPatches(makeLab(version, false).cluster).map((file) => ('content' in file ? file.content : file.path));
  const claim =
    'spec:\n  containers:\n    - name: etcd\n      resources:\n        requests:\n          ephemeral-storage: null\n';
  expect(patchesOf('1.19.16')).toEqual([]);
  expect(patchesOf('1.20.2')).toEqual([claim]);
  expect(patchesOf('1.21.14')).toEqual([claim]);
  expect(patchesOf('1.22.0')).toEqual([]);
});
