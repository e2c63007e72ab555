import { expect, test } from 'vitest';
import { canBePacked, parseImageNames } from './image-names.ts';

const old = ['kube-apiserver:v1.20.2', 'kube-proxy:v1.20.2', 'pause:3.2', 'etcd:3.4.13-0', 'coredns:1.7.0']
  .map((name) => `k8s.gcr.io/${name}\n`)
  .join('');
const recent = old.replaceAll('k8s.gcr.io', 'registry.k8s.io').replace('coredns:', 'coredns/coredns:v');

test('the names that kubeadm lists are told apart', () => {
  expect(parseImageNames(old)).toMatchObject({ pause: 'k8s.gcr.io/pause:3.2', etcd: 'k8s.gcr.io/etcd:3.4.13-0' });
  expect(parseImageNames(recent).coreDns).toBe('registry.k8s.io/coredns/coredns:v1.7.0');
});

test.each([
  { etcd: '3.4.13-0', expected: true },
  { etcd: '3.4.3', expected: true },
  { etcd: '3.40.1-0', expected: false },
  { etcd: '3.5.24-0', expected: false },
  { etcd: '3.6.5-0', expected: false },
])('what wants etcd $etcd can be packed with that of Debian: $expected', ({ etcd, expected }) => {
  expect(canBePacked(parseImageNames(recent.replace('3.4.13-0', etcd)))).toBe(expected);
});
