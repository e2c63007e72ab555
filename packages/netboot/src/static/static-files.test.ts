import { expect, test } from 'vitest';
import type { Mac } from '@labwright/core/addresses/mac';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import type { BootEvent } from '@labwright/core/events/boot';
import { silentLog } from '@labwright/core/ports/log';
import { systemRandom } from '@labwright/core/ports/system';
import { bootClientOf } from '../dhcp/boot-client.ts';
import {
  biosOptions,
  ipxeOptions,
  makeDirectory,
  makeMachine,
  makeNetwork,
  makeRequest,
  uefiOptions,
} from '../make-boot.ts';
import { BootSessions } from '../session/boot-sessions.ts';
import { findStaticFile, isIpxeAgent, parseStaticPath, seemsIpxe, type StaticWorld } from './static-files.ts';

const machine = makeMachine();
const neighbour = makeMachine({
  name: hostName('node102'),
  mac: mac('02:00:00:00:01:02'),
  address: ipv4('10.1.1.2'),
  firmware: 'bios',
});
const heard = { uefi: uefiOptions, bios: biosOptions, ipxe: { ...ipxeOptions, architectures: [7] } } as const;

function makeWorld(changes: Partial<StaticWorld> = {}) {
  const events: BootEvent[] = [];
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };
  const sessions = new BootSessions({
    clock,
    random: systemRandom,
    mode: 'router',
    emit: (event) => events.push(event),
  });
  const holders = new Map<string, Mac>([
    [machine.address, machine.mac],
    [neighbour.address, neighbour.mac],
  ]);
  const names = ['snponly.efi', 'undionly.kpxe', 'ipxe.efi', 'ipxe.pxe'];
  const world: StaticWorld = {
    network: makeNetwork({ mode: 'router' }),
    directory: makeDirectory([machine, neighbour]),
    sessions,
    loaders: new Map(names.map((name) => [name, new TextEncoder().encode(name)])),
    holderOf: async (address) => holders.get(address),
    log: silentLog,
    ...changes,
  };
  const hear = (who: keyof typeof heard): void => {
    const client = bootClientOf(makeRequest(heard[who]));
    sessions.see(sessions.open(machine, client, 'discover'), { type: 'offered', client, detail: 'heard' });
  };
  /** What comes of a request, in one word: the loader's name, "script", "full" or why it was refused. */
  const ask = async (as: 'firmware' | 'ipxe', name = 'labwright.efi', address: string = machine.address) => {
    const file = await findStaticFile(name, { address, seemsIpxe: as === 'ipxe' }, world);
    if (file === undefined) return 'nothing';
    if (file.kind === 'refused') return file.reason;
    if (file.kind === 'script') {
      if (file.boots) sessions.see(file.session, { type: 'requested', name: 'boot.ipxe' });
      return file.boots ? 'script' : 'full';
    }
    sessions.see(file.session, { type: 'loader-requested', file: file.loader });
    sessions.see(file.session, { type: 'loader-sent', file: file.loader });
    return file.loader;
  };
  const token = (): string => sessions.current(machine.mac)?.token ?? '';
  return { world, sessions, events, holders, hear, ask, token };
}

test('one name, two answers: firmware gets its loader, the iPXE in it the script', async () => {
  const { ask, events } = makeWorld();
  expect([await ask('firmware'), await ask('ipxe')]).toEqual(['snponly.efi', 'script']);
  expect(events.map(({ stage, detail }) => `${stage}: ${detail}`)).toEqual([
    'offered: UEFI x64 firmware asks for labwright.efi from 10.1.1.1, as the router told it',
    'loader: fetching snponly.efi',
    'script: iPXE fetched its script',
  ]);
  expect(new Set(events.map(({ session }) => session)).size).toBe(1);
});

test.each([
  ['a ROM with iPXE in it', ['hear ipxe', 'ipxe'], ['script']],
  ['iPXE that was heard, whatever its requests look like', ['hear ipxe', 'firmware'], ['script']],
  ['firmware with iPXE’s block size', ['hear uefi', 'ipxe', 'ipxe'], ['snponly.efi', 'script']],
  ['firmware heard, then its iPXE', ['hear uefi', 'firmware', 'hear ipxe', 'firmware'], ['snponly.efi', 'script']],
  ['firmware that asks twice', ['firmware', 'firmware', 'ipxe'], ['snponly.efi', 'snponly.efi', 'script']],
  [
    'an iPXE that nobody can tell from firmware',
    ['firmware', 'firmware', 'firmware', 'firmware'],
    ['snponly.efi', 'snponly.efi', 'snponly.efi', 'script'],
  ],
  ['another boot', ['firmware', 'ipxe', 'firmware', 'ipxe'], ['snponly.efi', 'script', 'snponly.efi', 'script']],
] as const)('%s', async (_who, acts, answers) => {
  const { ask, hear } = makeWorld();
  const given: string[] = [];
  for (const act of acts) {
    if (act === 'firmware' || act === 'ipxe') given.push(await ask(act));
    else hear(act === 'hear uefi' ? 'uefi' : 'ipxe');
  }
  expect(given).toEqual(answers);
});

test('the file fits what was heard of the firmware, also where the router names the other', async () => {
  const { ask, hear } = makeWorld();
  hear('uefi');
  expect(await ask('firmware', 'labwright.pxe')).toBe('snponly.efi');
  expect(await ask('firmware', 'labwright.pxe', neighbour.address)).toBe('undionly.kpxe');
  expect(await ask('firmware', 'labwright.ipxe', neighbour.address)).toBe('script');
});

test('each script has a token of its own, good from that address only; the one before is refused', async () => {
  const { ask, token, sessions } = makeWorld();
  await ask('ipxe');
  const first = token();
  expect(sessions.redeem(first, neighbour.address).kind).toBe('refused');
  expect(sessions.redeem(first, machine.address).kind).toBe('good');
  sessions.see(sessions.current(machine.mac)!, { type: 'requested', name: 'kernel' });
  await ask('ipxe');
  expect(token()).not.toBe(first);
  expect(sessions.redeem(first, machine.address)).toMatchObject({ reason: expect.stringContaining('earlier boot') });
});

test('a machine that the router leased another address is known by its Ethernet address', async () => {
  const { ask, holders, token, sessions } = makeWorld();
  holders.set('10.1.2.77', machine.mac);
  expect(await ask('ipxe', 'labwright.efi', '10.1.2.77')).toBe('script');
  expect(sessions.redeem(token(), '10.1.2.77').kind).toBe('good');
  expect(sessions.redeem(token(), '10.1.2.78').kind).toBe('refused');
  // Its installer uses its own.
  expect(sessions.redeem(token(), machine.address).kind).toBe('good');
});

test('strangers get nothing, also with the address of a machine', async () => {
  const { ask, holders, events } = makeWorld();
  holders.set('10.1.0.50', mac('02:09:09:09:09:09'));
  expect(await ask('ipxe', 'labwright.efi', '10.1.0.50')).toBe('02:09:09:09:09:09 is not a machine of the lab file');
  expect(await ask('ipxe', 'labwright.efi', '10.1.0.51')).toBe(
    '10.1.0.51 is not the address of a machine of the lab file',
  );
  holders.set(machine.address, mac('02:09:09:09:09:09'));
  expect(await ask('ipxe')).toBe(
    '10.1.1.1 is the address of node101 (02:00:00:00:01:01), and 02:09:09:09:09:09 has it',
  );
  holders.set(machine.address, neighbour.mac);
  expect(await ask('ipxe')).toContain('and 02:00:00:00:01:02 has it');
  // Behind another router nobody's Ethernet address is known.
  holders.delete(machine.address);
  expect(await ask('ipxe')).toBe('script');
  expect(events).toHaveLength(2);
});

test('an iPXE that gets no further than its script is sent to a full one, once', async () => {
  const { ask, token, sessions } = makeWorld();
  expect([await ask('ipxe'), await ask('ipxe', 'labwright.ipxe')]).toEqual(['script', 'full']);
  // The full one is fetched by the token, and comes back for its script.
  sessions.see(sessions.current(machine.mac)!, { type: 'loader-requested', file: 'ipxe.efi' });
  const before = token();
  expect([await ask('ipxe'), token()]).toEqual(['script', before]);
  expect(await ask('ipxe', 'labwright.ipxe')).toBe('script');
});

test('one that fetched its kernel and asks anew gets its script', async () => {
  const { ask, sessions } = makeWorld();
  await ask('ipxe');
  sessions.see(sessions.current(machine.mac)!, { type: 'requested', name: 'kernel' });
  expect(await ask('ipxe', 'labwright.ipxe')).toBe('script');
});

test('a loader that is not installed is told of', async () => {
  const { ask, sessions } = makeWorld({ loaders: new Map() });
  expect(await ask('firmware')).toBe('node101: there is no boot loader snponly.efi');
  expect(sessions.current(machine.mac)?.seen.noBootFile).toContain('snponly.efi');
});

test('the names exist in router mode only', async () => {
  expect(await makeWorld({ network: makeNetwork({ mode: 'proxy' }) }).ask('firmware')).toBe('nothing');
  expect(['labwright.pxe', '//labwright.efi', 'labwright.ipxe'].map(parseStaticPath)).not.toContain(undefined);
  expect(['labwright', 'x/labwright.efi', 'labwright.efi/', 'Labwright.efi'].map(parseStaticPath)).toEqual(
    Array(4).fill(undefined),
  );
});

test.each([
  ['iPXE', { blockSize: 1432, transferSize: 0 }, true],
  ['iPXE that offers multicast', { blockSize: 1432, transferSize: 0, other: [['multicast', '']] as const }, true],
  ['edk2', { blockSize: 1468, transferSize: 0, windowSize: 4 }, false],
  ['Intel', { blockSize: 1456 }, false],
  ['a client without options', {}, false],
])('the requests of %s', (_who, options, expected) => {
  expect(seemsIpxe(options)).toBe(expected);
});

test('iPXE says its name over HTTP', () => {
  expect([isIpxeAgent('iPXE/1.21.1'), isIpxeAgent('UefiHttpBoot/1.0'), isIpxeAgent(undefined)]).toEqual([
    true,
    false,
    false,
  ]);
});
