// The names that our name server answered last, in the store. A cache: whatever is wrong with it is said, and it is done without.
import type { Log } from '@labwright/core/ports/log';
import type { NameMemory } from '@labwright/network/dns/name-memory';
import { z } from 'zod';
import type { Store } from '../store/store.ts';

const key = 'exposed names';
const content = z.array(z.object({ name: z.string(), addresses: z.array(z.string()) }));

export function makeNameCache({ caches }: Pick<Store, 'caches'>, log: Log): NameMemory {
  return {
    recall: () => {
      try {
        const cached = caches.get(key);
        return cached === undefined ? undefined : { at: cached.at, names: content.parse(JSON.parse(cached.text)) };
      } catch (error) {
        log.warn('names from before the start cannot be read; they are told when the cluster is known', {
          why: String(error),
        });
        return undefined;
      }
    },
    remember: ({ at, names }) => {
      try {
        caches.set(key, { at, text: JSON.stringify(names) });
      } catch (error) {
        log.warn('names are not kept for the next start', { why: String(error) });
      }
    },
  };
}
