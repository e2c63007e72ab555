// Two name servers at one address, as on a router where another one has port 53.
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { silentLog } from '@labwright/core/ports/log';
import { systemClock } from '@labwright/core/ports/system';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { expect, test } from 'vitest';
import { makeExposureZone } from '../dns/exposure-zone.ts';
import { startNameServer } from '../dns/name-server.ts';
import { exposedMark, ownerOf } from './entry-names.ts';
import { probeChanges } from './router-probe.ts';
import { makeBlueprint } from './sample-router.test-data.ts';

const address = ipv4('127.0.0.1');
const { signal } = new AbortController();

async function startWith(names: Parameters<typeof makeExposureZone>[0]['names']) {
  const server = await startNameServer({ address, port: 0, clock: systemClock, log: silentLog });
  server.setZone(makeExposureZone({ domains: ['svc'], address, names, serial: 1 }));
  return server;
}

test('a name is asked for where the name server of the router answers', async () => {
  const own = await startWith([{ name: 'web.svc', addresses: ['10.1.3.100'] }]);
  const other = await startWith([]);
  try {
    const mark = exposedMark(ownerOf(makeBlueprint().lab), 'web.svc');
    const changes = hostEntries(mark, { name: 'web.svc', addresses: ['10.1.3.100'] }, 'unbound').map(
      ({ place, value }) => ({ kind: 'entry' as const, place, mark, after: value }),
    );
    const seenAt = async (nameServerPort: number) =>
      await probeChanges(changes, { address, nameServerPort, isIdle: false }, signal);
    expect(await seenAt(own.port)).toEqual(new Map());
    expect(await seenAt(other.port)).toEqual(new Map([[mark.key, 'web.svc has no answer there']]));
  } finally {
    await own.close();
    await other.close();
  }
});
