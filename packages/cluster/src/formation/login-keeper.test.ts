import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { expect, test } from 'vitest';
import { makeClusterPki } from '../pki/pki.ts';
import { keepLogin } from './login-keeper.ts';
import { cluster, lab } from './sample-cluster.test-data.ts';
import { issueServing, serveApi } from './served-api.test-data.ts';

const dayMs = 24 * 3600_000;

test('a lasting connection shows a login that is good, in its first hour and after years', async () => {
  const start = systemClock.now();
  let now = start;
  const pki = await makeClusterPki(lab, start);
  const api = await serveApi(
    await issueServing(pki, { name: cluster.endpoint.name, from: start, until: start + dayMs }),
  );
  const keeper = keepLogin(api.cluster, { clock: { ...systemClock, now: () => now }, log: silentLog });
  try {
    const connection = await keeper.connectLasting(pki);
    for (const days of [0, 0.4, 91, 800]) {
      now = start + days * dayMs;
      await connection.fetchVersion({ signal: AbortSignal.timeout(10_000), tries: 1 });
      expect([days, (api.logins.at(-1) ?? 0) > now]).toEqual([days, true]);
      // Not one for as long as the process may run: it lives for hours.
      expect((api.logins.at(-1) ?? 0) - now).toBeLessThan(dayMs);
    }
  } finally {
    await keeper.close();
    await api.close();
  }
});
