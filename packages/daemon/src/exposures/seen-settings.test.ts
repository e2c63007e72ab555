import { ipv4 } from '@labwright/core/addresses/ipv4';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import { parseXml } from '@labwright/drivers/pfsense/config/xml-tree';
import type { RouterState } from '@labwright/drivers/pfsense/router-state';
import { beforeEach, expect, test, vi } from 'vitest';
import { makeSeenSettings } from './seen-settings.ts';

const range = { first: ipv4('10.1.3.100'), last: ipv4('10.1.3.200') };
const blueprint: Pick<Blueprint, 'exposures' | 'router'> = {
  exposures: { domains: ['svc'], balancer: 'router', ingress: 'router', range, taken: [], reserved: [] },
  router: { name: hostName('fw1'), address: ipv4('10.1.0.1'), port: 443, manage: ['haproxy'] },
};
const stateOf = (sections: string) => ({ document: parseXml(`<pfsense>${sections}</pfsense>`) }) as RouterState;
const dns = '<unbound><enable/></unbound>';

let state: RouterState | undefined;
let tell: () => void;
let waits: PromiseWithResolvers<void>;
const look = vi.fn<() => Promise<RouterState>>();
const clock: Clock = { now: () => 0, monotonic: () => 0, sleep: async () => await waits.promise };
const router = {
  get state() {
    return state;
  },
  terms: { owner: { lab: labId('home'), cluster: hostName('lab') } },
  listen: (listener: () => void) => {
    tell = listener;
  },
  look,
} as unknown as NonNullable<Parameters<typeof makeSeenSettings>[1]>;
const { signal } = new AbortController();

beforeEach(() => {
  state = undefined;
  waits = Promise.withResolvers();
  look.mockReset();
});

test('are not known before the router was seen, and what it has itself is told', () => {
  const settings = makeSeenSettings(blueprint, router, clock);
  const changed = vi.fn();
  settings.follow(changed, signal);
  expect(settings.current()).toBeUndefined();
  state = stateOf(dns);
  tell();
  expect(changed).toHaveBeenCalledTimes(1);
  expect(settings.current()?.routerPorts).toEqual([{ port: 53, purpose: 'the DNS of the router' }]);
  state = stateOf(`${dns}<revision/>`);
  tell();
  expect(changed).toHaveBeenCalledTimes(1);
  state = stateOf(`${dns}<virtualip><vip><subnet>10.1.3.105</subnet></vip></virtualip>`);
  tell();
  expect(changed).toHaveBeenCalledTimes(2);
  expect(settings.current()?.usedAddresses?.used).toHaveLength(1);
});

test('of a router that stays away are known after a while, as unseen', async () => {
  const settings = makeSeenSettings(blueprint, router, clock);
  const changed = vi.fn();
  settings.follow(changed, signal);
  waits.resolve();
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1));
  expect(settings.current()).toMatchObject({ unseen: 'the router fw1 was not seen yet', routerPorts: [] });
  state = stateOf(dns);
  tell();
  expect(changed).toHaveBeenCalledTimes(2);
  expect(settings.current()?.unseen).toBeUndefined();
});

test('who asks now has the router looked at, and an answer all the same when it is away', async () => {
  look.mockRejectedValueOnce(new Error('away'));
  const settings = makeSeenSettings(blueprint, router, clock);
  expect((await settings.fetch(signal)).unseen).toBe('the router fw1 was not seen yet');
  look.mockImplementationOnce(() => {
    state = stateOf(dns);
    return Promise.resolve(state);
  });
  expect((await settings.fetch(signal)).routerPorts).toHaveLength(1);
  await settings.fetch(signal);
  expect(look).toHaveBeenCalledTimes(2);
});

test('without a router to balance on are known at once', () => {
  expect(makeSeenSettings(blueprint, undefined, clock).current()).toMatchObject({ routerPorts: [] });
});
