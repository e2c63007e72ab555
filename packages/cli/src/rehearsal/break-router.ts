// What can be broken in the emulated router, as its owner, his power company and his router itself do.
import { setTimeout as delay } from 'node:timers/promises';
import { makeRouterControl, type RouterControl } from '@labwright/rehearsal/pfsense/control-client';
import { LabwrightError } from '@labwright/core/errors/error';

interface RouterBreakage {
  readonly name: string;
  /** What may follow it: "[SECONDS]". */
  readonly argument?: string;
  readonly summary: string;
  readonly strike: (control: RouterControl, options: StrikeOptions) => Promise<unknown>;
}

interface StrikeOptions {
  /** As given behind the name; otherwise what its summary says. */
  readonly seconds: number | undefined;
  readonly domain: string;
  readonly now: number;
}

const pageOpenMs = 5_000;
/** Reserved for documentation (RFC 5737): it leads nowhere. */
const nowhere = '192.0.2.1';

export const routerBreakages: readonly RouterBreakage[] = [
  {
    name: 'power-cut',
    summary: 'it loses its power, and starts again',
    strike: async (control) => await ignoreSilence(control.addFault({ kind: 'power-cut' })),
  },
  {
    name: 'reboot',
    argument: '[SECONDS]',
    summary: 'it reboots, and is away for 20 s unless told otherwise',
    strike: async (control, { seconds = 20 }) => await control.addFault({ kind: 'reboot', seconds }),
  },
  {
    name: 'answer-500',
    summary: 'it answers the next five calls with status 500',
    strike: async (control) => await control.addFault({ kind: 'answer', status: 500, times: 5 }),
  },
  {
    name: 'slow',
    argument: '[SECONDS]',
    summary: 'each call takes 30 s more unless told otherwise',
    strike: async (control, { seconds = 30 }) => await control.addFault({ kind: 'slow', seconds }),
  },
  { name: 'well', summary: 'it answers as it should again', strike: async (control) => await control.removeFaults() },
  {
    name: 'page-save',
    summary: 'a person saves a page, with a new name, that was open for 5 s: what others wrote meanwhile is lost',
    strike: async (control, { domain, now }) => {
      const page = await control.openPage();
      await delay(pageOpenMs);
      const host = `by-hand-${Math.floor(now / 1000)}`;
      const value = { host, domain, ip: nowhere, descr: 'made by hand', aliases: '' };
      await page.save({ edits: [{ kind: 'add', path: ['unbound', 'hosts'], value }], apply: ['unbound'] });
    },
  },
  {
    name: 'restore',
    summary: 'a person restores its oldest backup, and it reboots',
    strike: async (control) => await control.addFault({ kind: 'restore' }),
  },
];

/** Throws LW0002 for what is none, or when the router refuses it. Resolves when it is done, a reboot when that is over. */
export async function breakRouter(
  controlSocket: string,
  words: readonly string[],
  { domain, now }: Omit<StrikeOptions, 'seconds'>,
): Promise<RouterBreakage> {
  const [name = '', amount] = words;
  const breakage = routerBreakages.find((each) => each.name === name);
  if (breakage === undefined) throw refusal(`"${name}" is nothing that a router can have`);
  const seconds = amount === undefined ? undefined : Number(amount);
  if (amount !== undefined && (breakage.argument === undefined || !(Number(amount) > 0)))
    throw refusal(`"${amount}" does not fit behind ${name}`);
  try {
    await breakage.strike(makeRouterControl(controlSocket), { seconds, domain, now });
  } catch (error) {
    throw refusal(`the emulated router: ${error instanceof Error ? error.message : String(error)}`);
  }
  return breakage;
}

/** Without power it gives no answer. */
async function ignoreSilence(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ECONNRESET')) throw error;
  }
}

const refusal = (what: string): LabwrightError =>
  new LabwrightError('LW0002', { what, fix: ['labwright rehearse break   lists what can be broken'] });
