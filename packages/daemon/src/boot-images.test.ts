import { kubernetesVersion } from '@labwright/core/addresses/kubernetes-version';
import { labId, rehearsalOf } from '@labwright/core/addresses/names';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { expect, test } from 'vitest';
import { bootImageName, bootKernelArguments } from './boot-images.ts';

// Of the cluster only the version is looked at.
const home = (version: string) => ({
  lab: labId('home'),
  cluster: { version: kubernetesVersion(version) } as ClusterBlueprint,
});

test('each role has an image of its own', () => {
  expect(bootImageName({ image: 'debian' })).toBe('debian');
  expect(bootImageName({ image: 'debian', role: 'worker' })).toBe('debian-worker');
  expect(bootImageName({ image: 'debian', role: 'control-plane' })).toBe('debian-control-plane');
});

test.each([
  { machine: { role: 'worker' as const }, version: '1.20.2', expected: ['systemd.unified_cgroup_hierarchy=0'] },
  { machine: { role: 'worker' as const }, version: '1.24.17', expected: ['systemd.unified_cgroup_hierarchy=0'] },
  { machine: { role: 'worker' as const }, version: '1.25.0', expected: [] },
  { machine: {}, version: '1.20.2', expected: [] },
])('$machine of Kubernetes $version boots with $expected', ({ machine, version, expected }) => {
  expect(bootKernelArguments(machine, home(version))).toEqual(expected);
});

test('a role without a cluster changes nothing', () => {
  expect(bootKernelArguments({ role: 'worker' }, { lab: labId('home') })).toEqual([]);
});

test('an emulated processor that is stuck starts its machine again', () => {
  expect(bootKernelArguments({}, { lab: rehearsalOf(labId('home')) })).toEqual(
    expect.arrayContaining(['softlockup_panic=1', 'mitigations=off']),
  );
});
