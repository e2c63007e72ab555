import { expect, test } from 'vitest';
import { compareVersions, kubernetesVersion, minorOf, parseKubernetesVersion } from './kubernetes-version.ts';

test('three numbers, with or without a v, and nothing else', () => {
  expect(parseKubernetesVersion('1.35.4')).toBe('1.35.4');
  expect(parseKubernetesVersion('v1.20.2')).toBe('1.20.2');
  for (const text of ['1.35', '1.35.4-rc.1', '2.0.0', '1.035.4', '1.35.4 ', 'latest']) {
    expect(parseKubernetesVersion(text)).toBeUndefined();
  }
});

test('compares by number, not by text', () => {
  const [old, recent] = [kubernetesVersion('1.9.11'), kubernetesVersion('1.10.2')];
  expect(compareVersions(old, recent)).toBeLessThan(0);
  expect(compareVersions(recent, kubernetesVersion('1.10.10'))).toBeLessThan(0);
  expect(compareVersions(old, old)).toBe(0);
  expect(minorOf(recent)).toBe(10);
});
