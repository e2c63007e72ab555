// Handing an entry over is agreed to for the entry as it was shown.
import { createHash } from 'node:crypto';
import { hostName, labId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import { places } from '@labwright/drivers/pfsense/config/place';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import type { Change } from '@labwright/drivers/pfsense/edits/change';
import { hostEntries } from '@labwright/drivers/pfsense/entries/name-entry';
import { planRouter } from '@labwright/drivers/pfsense/keeper/desired';
import type { RouterState } from '@labwright/drivers/pfsense/router-state';
import { describe, expect, test } from 'vitest';
import { adoptEntry } from './router-questions.ts';

const owner = { lab: labId('home'), cluster: hostName('main') };
const { signal } = new AbortController();
const hosts = (ip: string, other = '10.1.0.30'): string =>
  `<hosts><host>web</host><domain>svc</domain><ip>${ip}</ip><descr>mine</descr></hosts>
  <hosts><host>other</host><domain>svc</domain><ip>${other}</ip><descr>mine</descr></hosts>`;

/** A router whose owner may edit it between two questions. */
function makeArea(readOnly?: string) {
  const written: Change[] = [];
  const router = { text: hosts('10.1.0.20') };
  const entries = hostEntries(
    { ...owner, key: 'exposed.web.svc' },
    { name: 'web.svc', addresses: ['10.1.3.100'] },
    'unbound',
  );
  const desired = { owner, entries, managed: [places.resolverHosts] };
  const area: Parameters<typeof adoptEntry>[0] = {
    router: {
      name: 'fw1',
      assertWritable: () => {
        if (readOnly !== undefined) throw new LabwrightError('LW8006', { what: 'fw1 is only read', why: readOnly });
      },
      adopt: async (_state, changes) => {
        written.push(...changes);
        await Promise.resolve();
      },
    },
    planAll: async () => {
      const document = parseXml(`<pfsense><unbound><enable/>${router.text}</unbound></pfsense>`);
      const hash = createHash('sha256').update(router.text).digest('hex');
      const state = { document, hash } as unknown as RouterState;
      return await Promise.resolve({ state, desired, plan: { ...planRouter(document, desired), problems: [] } });
    },
  };
  return { area, router, written };
}

describe('handing an entry over', () => {
  test('changes nothing until it is agreed to, and then the entry that was shown', async () => {
    const { area, router, written } = makeArea();
    const { hash, before, isDone } = await adoptEntry(area, { name: 'web.svc' }, signal);
    expect([before, isDone]).toEqual(['host=web, domain=svc, ip=10.1.0.20, descr=mine', false]);
    expect(written).toEqual([]);
    // What else is changed meanwhile is nothing to it.
    router.text = hosts('10.1.0.20', '10.1.0.31');
    expect(await adoptEntry(area, { name: 'web.svc', agreedTo: hash }, signal)).toMatchObject({ isDone: true, hash });
    expect(written).toMatchObject([{ before: { ip: '10.1.0.20' }, consent: 'adopt' }]);
  });

  test('is not done to an entry that its owner changed since', async () => {
    const { area, router, written } = makeArea();
    const { hash } = await adoptEntry(area, { name: 'web.svc' }, signal);
    router.text = hosts('10.1.0.21');
    await expect(adoptEntry(area, { name: 'web.svc', agreedTo: hash }, signal)).rejects.toMatchObject({
      code: 'LW8007',
      message: 'the entry "web.svc" on the router fw1 was changed since it was shown; nothing was written',
    });
    expect(written).toEqual([]);
  });

  test('is not offered on a router that is only read', async () => {
    const { area } = makeArea('pfSense 2.9.0 was not checked with this Labwright');
    await expect(adoptEntry(area, { name: 'web.svc' }, signal)).rejects.toMatchObject({ code: 'LW8006' });
  });
});
