// When the router was written to in the last hour, in the store, so that the limit of an hour outlasts a restart. A cache: whatever is
// wrong with it is said, and it is counted from nothing.
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { WriteMemory } from '@labwright/drivers/pfsense/keeper/write-schedule';
import { z } from 'zod';
import type { Store } from '../store/store.ts';

const content = z.array(z.number());

export function makeWriteCache(
  router: string,
  { caches, clock, log }: Pick<Store, 'caches'> & { readonly clock: Clock; readonly log: Log },
): WriteMemory {
  const key = `writes of the router ${router}`;
  return {
    recall: () => {
      try {
        const cached = caches.get(key);
        return cached === undefined ? [] : content.parse(JSON.parse(cached.text));
      } catch (error) {
        log.warn('how often the router was written to before the start cannot be read', { why: String(error) });
        return [];
      }
    },
    remember: (writes) => {
      try {
        caches.set(key, { at: clock.now(), text: JSON.stringify(writes) });
      } catch (error) {
        log.warn('how often the router is written to is not kept for the next start', { why: String(error) });
      }
    },
  };
}
