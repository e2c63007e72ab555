// What the area says of a lab whose cluster is in its file and was not formed so far.
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import type { NameMemory } from '@labwright/network/dns/name-memory';
import { expect, test } from 'vitest';
import type { ClusterReach } from '../cluster/cluster-area.ts';
import { makeExposuresArea } from './exposures-area.ts';

test('before there is a cluster, who asks is told to make it, and not that the command was wrong', async () => {
  const { signal } = new AbortController();
  const area = makeExposuresArea({
    blueprint: makeSampleBlueprint(makeSampleCluster('1.35.4'), []),
    cluster: { reach: { vault: { read: async () => await Promise.resolve(undefined) } } as unknown as ClusterReach },
    names: {} as unknown as NameMemory,
    clock: systemClock,
    log: silentLog,
    signal,
  });
  const expected = { code: 'LW6014', kind: 'refused', fix: ['labwright up'] };
  await expect(area.list(signal)).rejects.toMatchObject(expected);
  await expect(area.why('photos.home.arpa', signal)).rejects.toMatchObject(expected);
});
