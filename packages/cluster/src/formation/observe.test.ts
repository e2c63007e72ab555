import type { HostName } from '@labwright/core/addresses/names';
import type { ClusterFacts } from '@labwright/core/facts/cluster';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { afterEach, describe, expect, test } from 'vitest';
import type { KeyAndCertificate } from '../pki/authority.ts';
import { makeClusterPki, type ClusterPki } from '../pki/pki.ts';
import { keepLogin } from './login-keeper.ts';
import { observeCluster } from './observe.ts';
import { cluster, lab, makeBlueprint } from './sample-cluster.test-data.ts';
import { issueServing, serveApi } from './served-api.test-data.ts';

const blueprint = makeBlueprint(['control-plane']);
const reachable: ReadonlySet<HostName> = new Set(blueprint.machines.map(({ name }) => name));
const { signal } = new AbortController();
const dayMs = 24 * 3600_000;
const now = systemClock.now();
/** It ended yesterday. */
const ended = { from: now - 3 * dayMs, until: now - dayMs } as const;
const { name } = cluster.endpoint;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(pki: ClusterPki, serving: KeyAndCertificate) {
  const api = await serveApi(serving);
  closers.push(() => api.close());
  const keeper = keepLogin(api.cluster, { clock: systemClock, log: silentLog });
  closers.push(() => keeper.close());
  const observe = async (): Promise<ClusterFacts> =>
    await observeCluster({
      blueprint,
      vault: { file: '', read: async () => pki, readOrMake: async () => pki, assertUsable: async () => undefined },
      connect: async () => await keeper.connect(pki),
      openShell: () => async () => ({ exitCode: 0, stdout: 'member\n', stderr: '' }),
      reachable,
      clock: systemClock,
      signal,
    });
  return { api, keeper, observe };
}

describe('a certificate of the API that has ended', () => {
  test('is silence when our authority signed it: the disks are asked, and what helps is named', async () => {
    const pki = await makeClusterPki(lab, ended.from);
    const { api, keeper, observe } = await open(pki, await issueServing(pki, { name, ...ended }));
    expect(await observe()).toMatchObject({
      kind: 'silent',
      why: expect.stringMatching(/^its certificate has ended; labwright cluster renew /),
      disks: [{ name: 'node101', state: 'member' }],
    });
    await expect((await keeper.connect(pki)).fetchVersion({ signal, tries: 1 })).rejects.toMatchObject({
      code: 'LW6001',
      why: 'its certificate has ended',
      fix: expect.arrayContaining([expect.stringContaining('labwright cluster renew')]),
    });
    // Nothing was asked of it.
    expect(api.logins).toEqual([]);
  });

  test('is a stranger’s when another authority signed it, also one of the same name', async () => {
    const pki = await makeClusterPki(lab, ended.from);
    const other = await makeClusterPki(lab, ended.from);
    const { observe } = await open(pki, await issueServing(other, { name, ...ended }));
    await expect(observe()).rejects.toMatchObject({ code: 'LW6003' });
  });

  test('is a stranger’s when it is for another name', async () => {
    const pki = await makeClusterPki(lab, ended.from);
    const { observe } = await open(pki, await issueServing(pki, { name: 'other.home.arpa', ...ended }));
    await expect(observe()).rejects.toMatchObject({ code: 'LW6003' });
  });
});
