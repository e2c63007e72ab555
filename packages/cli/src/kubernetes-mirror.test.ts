import type { Lab } from '@labwright/core/lab/lab-schema';
import { expect, test } from 'vitest';
import { settleMirror } from './kubernetes-mirror.ts';

const program = { environment: {}, directory: '/home/me' };
// Only this section is looked at.
const lab = (mirror?: string): Lab => ({ kubernetes: { version: '1.20.2', mirror } }) as unknown as Lab;

test.each([
  { mirror: 'mirror', environment: {}, expected: '/srv/lab/mirror' },
  { mirror: '/k8s', environment: {}, expected: '/k8s' },
  { mirror: 'https://k8s.example', environment: {}, expected: 'https://k8s.example' },
  { mirror: 'mirror', environment: { LABWRIGHT_KUBERNETES_MIRROR: 'other' }, expected: '/home/me/other' },
  { mirror: undefined, environment: { LABWRIGHT_KUBERNETES_MIRROR: 'http://m' }, expected: 'http://m' },
  { mirror: undefined, environment: { LABWRIGHT_KUBERNETES_MIRROR: '' }, expected: undefined },
])('$mirror with $environment is $expected', ({ mirror, environment, expected }) => {
  const settled = settleMirror(lab(mirror), '/srv/lab/lab.yaml', { ...program, environment });
  expect(settled.kubernetes?.mirror).toBe(expected);
});

test('a lab without a cluster stays as it is', () => {
  const without = { pools: {} } as unknown as Lab;
  expect(settleMirror(without, '/lab.yaml', { ...program, environment: { LABWRIGHT_KUBERNETES_MIRROR: '/m' } })).toBe(
    without,
  );
});
