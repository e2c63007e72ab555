import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { expect, test } from 'vitest';
import { openStore } from '../store/store.ts';
import { makeWriteCache } from './write-cache.ts';

test('the writes of the last hour outlast a restart, each router’s own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'write-cache-'));
  try {
    const file = join(folder, 'store.sqlite');
    const first = openStore(file);
    const cacheOf = (router: string, { caches }: typeof first) =>
      makeWriteCache(router, { caches, clock: systemClock, log: silentLog });
    expect(cacheOf('fw1', first).recall()).toEqual([]);
    cacheOf('fw1', first).remember([1, 2]);
    first.close();
    const second = openStore(file);
    expect(cacheOf('fw1', second).recall()).toEqual([1, 2]);
    expect(cacheOf('fw2', second).recall()).toEqual([]);
    second.caches.set('writes of the router fw1', { at: 0, text: 'no list' });
    expect(cacheOf('fw1', second).recall()).toEqual([]);
    second.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
