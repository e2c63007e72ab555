import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parseLab } from '../parse-lab.ts';

const home = await readFile(new URL('../../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
// The example's own cluster is taken out, so that each test says what it is about.
const bare = home.replaceAll(/^ {4}role: .*\n/gm, '').replace(/^kubernetes:\n(?:(?:[ #].*)?\n)*/m, '');

function check(cluster: string, roles: Readonly<Record<string, string>> = { control: 'control-plane' }) {
  let text = `${bare}\n${cluster}`;
  for (const [pool, role] of Object.entries(roles))
    text = text.replace(`  ${pool}:\n`, `  ${pool}:\n    role: ${role}\n`);
  return parseLab(text, 'lab.yaml').diagnostics.map(({ message }) => message);
}

const good = 'kubernetes:\n  version: 1.20.2\n  endpoint: { address: 10.1.0.10 }\n';

describe('the kubernetes section', () => {
  test('a cluster of one control plane and two workers is fine', () => {
    expect(check(good, { control: 'control-plane', workers: 'worker', edge: 'worker' })).toEqual([]);
  });

  test.each([
    ['version: 1.35', 'is not a version of Kubernetes'],
    ['version: 1.19.16', 'is older than Labwright knows'],
    ['version: 2.0.0', 'is not a version of Kubernetes'],
  ])('%s is refused', (version, expected) => {
    expect(check(good.replace('version: 1.20.2', version)).join()).toContain(expected);
  });

  test.each([
    ['10.9.0.10', 'is outside network lan'],
    ['10.1.0.0', 'is the address of the network itself'],
    ['10.1.3.255', 'is the broadcast address'],
    ['10.1.1.14', 'is inside the block of the machines'],
    ['10.1.3.150', 'is inside the range for services'],
    ['10.1.0.11', 'has the address of host pve1'],
    ['10.1.0.9', 'has the address of the computer Labwright runs on'],
  ])('an endpoint at %s is refused', (address, expected) => {
    expect(check(good.replace('10.1.0.10', address)).join()).toContain(expected);
  });

  test('an even number of control planes, none, or one core are refused', () => {
    expect(check(good, { control: 'control-plane', workers: 'control-plane' }).join()).toContain(
      '2 control planes survive',
    );
    expect(check(good, { workers: 'worker' })).toEqual(['the cluster has no control plane']);
    const text = `${bare}\n${good}`
      .replace('  control:\n', '  control:\n    role: control-plane\n')
      .replace('cores: 2', 'cores: 1');
    expect(parseLab(text, 'lab.yaml').diagnostics.map(({ message }) => message)).toEqual([
      'pool control has 1 core, and kubeadm wants 2 for a control plane',
    ]);
  });

  test('networks that overlap, or are of the wrong size, are refused', () => {
    expect(check(`${good}  pods: 10.1.0.0/16\n`).join()).toContain('overlaps network lan');
    expect(check(`${good}  pods: 10.96.0.0/12\n`).join()).toContain('overlap');
    expect(check(`${good}  pods: 10.244.0.0/24\n`).join()).toContain('too small');
    expect(check(`${good}  services: 10.0.0.0/8\n`).join()).toContain('too large');
  });

  test('more machines than the pod network has room for are refused', () => {
    const text = check(`${good}  pods: 10.244.0.0/23\n`, {
      control: 'control-plane',
      workers: 'worker',
      edge: 'worker',
    });
    expect(text).toEqual(['10.244.0.0/23 has room for the pods of 2 machines, and the cluster has 3']);
  });

  test('a role without a cluster is refused', () => {
    expect(check('').join()).toContain('has a role in a cluster, and the file has no section kubernetes');
  });
});
