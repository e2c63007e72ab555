// A hand on the router: pages that a person has open. A page read the configuration when it was opened, and its save writes that, with
// its own change, over whatever the configuration has become.
//
//   open ── (0.1 to 5 s, or as long as the person takes) ── save
import * as z from 'zod';
import { phpScripts, type Php, type PhpProcess } from './php-process.ts';
import { RouterError } from './router-error.ts';

const path = z.array(z.union([z.string(), z.int()])).min(1);

const editSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('set'), path, value: z.unknown() }),
  /** To the end of the list that is there. */
  z.strictObject({ kind: z.literal('add'), path, value: z.unknown() }),
  z.strictObject({ kind: z.literal('remove'), path }),
]);

/** A change of the configuration: ["unbound", "hosts", 0, "ip"] is the address of the first host override. */
export type Edit = z.output<typeof editSchema>;

export const saveSchema = z.strictObject({
  edits: z.array(editSchema),
  description: z.string().default('saved a page'),
  /** "Apply Changes", pressed after the save. */
  apply: z.array(z.enum(['unbound', 'dnsmasq', 'dhcpd', 'haproxy', 'virtualip'])).default([]),
});

export type Save = z.output<typeof saveSchema>;
export type SaveInput = z.input<typeof saveSchema>;

export interface Hand {
  /** Opens a page: from now on it does not see what others write. Gives its number. */
  open(): Promise<number>;
  /** Saves it; resolves when the configuration is written and applied. */
  save(page: number, save: Save): Promise<void>;
  /** Leaves it without a save. */
  leave(page: number): void;
}

export function makeHand(php: Php, user = 'admin', address = '127.0.0.1'): Hand {
  const pages = new Map<number, PhpProcess>();
  let count = 0;
  const take = (page: number): PhpProcess => {
    const opened = pages.get(page);
    if (opened === undefined) throw new RouterError(`no page ${page} is open`, 'open one first');
    pages.delete(page);
    return opened;
  };
  return {
    open: async () => {
      const opened = php.start(phpScripts.hand);
      if ((await opened.ask(JSON.stringify({ address, user }))) === undefined)
        throw new RouterError('the page did not open', 'read php.log of the router');
      count += 1;
      pages.set(count, opened);
      return count;
    },
    save: async (page, save) => {
      const { exitCode, output } = await take(page).finish(`${JSON.stringify(save)}\n`);
      if (exitCode !== 0 || !output.toString('utf8').includes('"saved"'))
        throw new RouterError(`the page was not saved (exit code ${exitCode})`, 'read php.log of the router');
    },
    leave: (page) => take(page).kill(),
  };
}
