// The configuration as it is written, word for word; that HAProxy takes it is tested with the real one.
import { expect, it } from 'vitest';
import { formatBalancerConfig } from './balancer.ts';

it('balances over every control plane there may be', async () => {
  const text = formatBalancerConfig({
    address: '10.1.0.10',
    port: 6443,
    serverName: 'kube.home.arpa',
    controlPlanes: [
      { name: 'node101', address: '10.1.1.1' },
      { name: 'node102', address: '10.1.1.2' },
      { name: 'node103', address: '10.1.1.3' },
    ],
  });
  await expect(text).toMatchFileSnapshot('testdata/balancer.cfg');
});
