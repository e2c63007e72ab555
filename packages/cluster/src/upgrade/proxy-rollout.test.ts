import { expect, test } from 'vitest';
import { findProxyLag } from './proxy-rollout.ts';

const metadata = { name: 'kube-proxy', uid: 'u', resourceVersion: '1', generation: 2 };
const whole = { observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 };

test.each([
  [whole, undefined],
  [{ ...whole, observedGeneration: 1 }, 'kube-proxy is about to be changed'],
  [{ ...whole, updatedNumberScheduled: 1 }, 'kube-proxy is changed on 1 of 3 machines'],
  [{ ...whole, numberAvailable: 2 }, 'kube-proxy runs on 2 of 3 machines'],
  // Field absent: none of them.
  [{ observedGeneration: 2, desiredNumberScheduled: 3 }, 'kube-proxy is changed on 0 of 3 machines'],
  // Nobody has looked at it yet.
  [{}, 'kube-proxy is about to be changed'],
])('of %j', (status, lag) => {
  expect(findProxyLag({ metadata, status })).toBe(lag);
});

test('without a status', () => {
  expect(findProxyLag({ metadata })).toBe('kube-proxy is about to be changed');
});
