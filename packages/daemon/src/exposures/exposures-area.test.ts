// What the area says of a lab whose cluster is in its file and was not formed so far.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName } from '@labwright/core/addresses/names';
import type { RouterPart } from '@labwright/core/blueprint/blueprint';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { makeSampleBlueprint, makeSampleCluster } from '@labwright/cluster/sample-lab.test-data';
import type { NameMemory } from '@labwright/network/dns/name-memory';
import { describe, expect, test } from 'vitest';
import type { ClusterReach } from '../cluster/cluster-area.ts';
import { findRecordHolder, makeExposuresArea } from './exposures-area.ts';

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

describe('the record of a name is asked for', () => {
  const { signal } = new AbortController();
  const setup = { line: '2.7.2', nameServer: 'unbound', dhcpBackEnd: 'isc', balancer: 'on', interfaces: [] } as const;
  const holderWith = async (manage: readonly RouterPart[], answers = true, nameServer?: { readonly port: number }) => {
    const router = {
      name: 'fw1',
      setup: undefined as (typeof setup & { readonly nameServerPort: number }) | undefined,
      look: async (): Promise<never> => {
        if (answers) router.setup = { ...setup, nameServerPort: 5353 };
        await Promise.resolve();
        throw new Error(answers ? 'what it answered is not looked at here' : 'it is away');
      },
    };
    const blueprint = {
      exposures: { ...(nameServer === undefined ? {} : { nameServer }) },
      netboot: { address: ipv4('10.1.0.50') },
      router: { name: hostName('fw1'), address: ipv4('10.1.0.1'), manage },
    };
    return await findRecordHolder({ blueprint, router: { router } }, signal);
  };

  test('where the name server of the router answers, and only if its names are ours to keep', async () => {
    expect(await holderWith(['dns', 'haproxy'])).toEqual({ by: 'pfSense fw1', server: '10.1.0.1:5353' });
    expect(await holderWith(['dns'], false)).toEqual({ by: 'pfSense fw1', server: '10.1.0.1:53' });
    expect(await holderWith(['haproxy'])).toBeUndefined();
  });

  test('of our own name server, where there is one', async () => {
    const expected = { by: 'the name server of Labwright', server: '10.1.0.50:5300' };
    expect(await holderWith(['dns'], true, { port: 5300 })).toEqual(expected);
  });
});
