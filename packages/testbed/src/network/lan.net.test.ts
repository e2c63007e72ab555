import { expect, test } from 'vitest';
import { makeLan } from './lan.ts';

test('two peers on one bridge reach each other and the bridge', async () => {
  const lan = await makeLan('lan-test', '10.99.0.1/24');
  const one = await lan.addPeer('one', '02:00:00:00:00:01', '10.99.0.11/24');
  await lan.addPeer('two', '02:00:00:00:00:02', '10.99.0.12/24');
  for (const address of ['10.99.0.1', '10.99.0.12']) {
    const seen = await one.exec(['ip', '-o', 'route', 'get', address]);
    expect(seen.stdout).toContain('dev eth0');
  }
  const refused = await one.exec(['ip', 'route', 'get', '192.0.2.1']);
  expect(refused.exitCode).not.toBe(0);
});
