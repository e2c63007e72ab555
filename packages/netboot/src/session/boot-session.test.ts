import { expect, test } from 'vitest';
import { bootClientOf, type BootClient } from '../dhcp/boot-client.ts';
import type { BootMode } from '../boot-network.ts';
import { biosOptions, ipxeOptions, makeMachine, makeRequest, uefiOptions } from '../make-boot.ts';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import {
  advance,
  beginsNewBoot,
  patienceMs,
  startSession,
  tick,
  type BootSession,
  type BootSighting,
  type StageEvent,
} from './boot-session.ts';

const uefi = bootClientOf(makeRequest(uefiOptions));
const bios = bootClientOf(makeRequest(biosOptions));
const ipxe = bootClientOf(makeRequest(ipxeOptions));
const system: BootClient = { kind: 'system' };

function start(mode: BootMode = 'serve'): BootSession {
  return startSession({ id: 'a1', token: '0'.repeat(32), machine: makeMachine(), mode, now: 0 });
}

function see(session: BootSession, ...sightings: BootSighting[]): { session: BootSession; events: StageEvent[] } {
  const events: StageEvent[] = [];
  for (const sighting of sightings) {
    const step = advance(session, sighting, session.seenAt + 1_000);
    session = step.session;
    events.push(...step.events);
  }
  return { session, events };
}

const offered = (client: BootClient): BootSighting => ({ type: 'offered', client, detail: 'an offer' });
const uefiBoot: readonly BootSighting[] = [
  offered(uefi),
  { type: 'acknowledged' },
  { type: 'loader-requested', file: 'snponly.efi' },
  { type: 'loader-requested', file: 'snponly.efi' },
  { type: 'loader-sent', file: 'snponly.efi' },
  offered(ipxe),
  { type: 'acknowledged' },
  { type: 'requested', name: 'boot.ipxe' },
  { type: 'requested', name: 'kernel' },
  { type: 'transferring', name: 'kernel', sentBytes: 10, sizeBytes: 10 },
  { type: 'requested', name: 'initrd' },
  { type: 'progress', stage: 'started', detail: 'the initramfs runs' },
  { type: 'progress', stage: 'installing', detail: 'partitions' },
  { type: 'requested', name: 'rootfs' },
  { type: 'progress', stage: 'installing', detail: 'root file system' },
  { type: 'progress', stage: 'installed', detail: 'the disk is finished' },
  { type: 'ready', detail: 'it phoned home' },
];

test('a whole boot gives one event a stage, and one for each part of the installation', () => {
  expect(see(start(), ...uefiBoot).events.map(({ stage, detail }) => `${stage}: ${detail}`)).toEqual([
    'offered: an offer',
    'loader: fetching snponly.efi',
    'script: iPXE fetched its script',
    'kernel: fetching the kernel and the initramfs',
    'started: the initramfs runs',
    'installing: partitions',
    'installing: root file system',
    'installed: the disk is finished',
    'ready: it phoned home',
  ]);
});

test.each([
  ['firmware that repeats its DISCOVER', 1, uefi, false],
  ['iPXE that our loader started', 5, ipxe, false],
  ['iPXE after its script', 8, ipxe, true],
  ['firmware after a loader', 5, uefi, true],
  ['the initramfs', 12, system, false],
  ['firmware after the installation', 16, bios, true],
  ['firmware after ready', 17, uefi, true],
])('%s begins a new boot: after %i sightings', (_who, count, client, expected) => {
  expect(beginsNewBoot(see(start(), ...uefiBoot.slice(0, count)).session, client)).toBe(expected);
});

test('the reset of a machine whose ROM is iPXE begins a new boot only after it fetched something', () => {
  expect(beginsNewBoot(see(start(), offered(ipxe)).session, ipxe)).toBe(false);
  expect(beginsNewBoot(see(start(), offered(ipxe), { type: 'requested', name: 'boot.ipxe' }).session, ipxe)).toBe(true);
});

test('a full iPXE is handed out once', () => {
  expect(see(start(), { type: 'loader-requested', file: 'snponly.efi' }).session.chained).toBe(false);
  expect(see(start(), { type: 'loader-requested', file: 'ipxe.efi' }).session.chained).toBe(true);
});

test('a stall is told once, and the boot goes on when something comes', () => {
  const { session } = see(start(), ...uefiBoot.slice(0, 12));
  const early = tick(session, session.seenAt + patienceMs.started - 1);
  expect(early.events).toEqual([]);
  const late = tick(session, session.seenAt + patienceMs.started);
  expect(late.events).toMatchObject([{ stage: 'stalled' }]);
  expect(tick(late.session, session.seenAt + 10 * patienceMs.started).events).toEqual([]);
  const again = advance(late.session, { type: 'progress', stage: 'started', detail: 'on again' }, 1e9);
  expect(again.events).toEqual([{ stage: 'started', detail: 'on again' }]);
  expect(again.session.stalled).toBe(false);
});

test('a boot that ended, well or not, never stalls', () => {
  const refused: BootSighting = { type: 'progress', stage: 'refused', detail: 'a foreign disk' };
  for (const last of [refused, { type: 'ready', detail: 'up' } as const]) {
    const { session } = see(start(), ...uefiBoot.slice(0, 12), last);
    expect(tick(session, Number.MAX_SAFE_INTEGER).events).toEqual([]);
  }
});

const other = (changes: object): BootSighting => ({
  type: 'other-offer',
  offer: { server: '10.1.0.1', givesAddress: true, saysPxe: false, hasVendorOptions: false, ...changes },
});

const told: BootSighting = { type: 'acknowledged', lease: { server: '10.1.0.1', address: '10.1.1.1' } };
const strayed: BootSighting = { type: 'acknowledged', lease: { server: '10.1.0.1', address: '10.1.2.77' } };
const leads = (nextServer: string, file: string): BootSighting =>
  other({ boot: { nextServer, isOurs: nextServer === '10.1.0.9', file } });

const stalls: readonly (readonly [string, BootMode, readonly BootSighting[], string])[] = [
  ['BINL', 'proxy', [offered(uefi), other({ saysPxe: true })], 'waits for an answer on UDP port 4011 of 10.1.0.1'],
  ['a rival that was faster', 'serve', [offered(uefi), other({})], 'another DHCP server, 10.1.0.1, answered first'],
  ['a rival that was slower', 'serve', [offered(uefi), other({}), { type: 'acknowledged' }], 'UDP port 69 is blocked'],
  ['an offer that nobody took', 'serve', [offered(uefi)], 'it did not take the offer'],
  ['no address at all', 'proxy', [offered(uefi)], 'no DHCP server was seen to give it an address'],
  ['a proxy that is not heard', 'proxy', [offered(uefi), other({})], 'UDP port 4011'],
  ['no TFTP', 'serve', [offered(uefi), { type: 'acknowledged' }], 'no TFTP request of UEFI x64 arrived; UDP port 69'],
  ['no HTTP', 'serve', [offered(ipxe), { type: 'acknowledged' }], 'iPXE did not reach our HTTP port'],
  ['TFTP cut', 'serve', uefiBoot.slice(0, 3), 'but not the ports the data comes from'],
  ['a loader that does not run', 'serve', uefiBoot.slice(0, 5), 'Secure Boot'],
  ['a dead kernel', 'serve', uefiBoot.slice(0, 11), 'the kernel did not start'],
  ['no router', 'router', [offered(uefi)], 'no DHCP server was seen to give it an address, and netboot mode "router"'],
  [
    'a stray lease',
    'router',
    [offered(uefi), strayed],
    '10.1.0.1 leased it 10.1.2.77 and not its own address 10.1.1.1',
  ],
  ['a lease without a file', 'router', [offered(uefi), other({}), told], '10.1.0.1 names no boot file; it must be'],
  [
    'another file',
    'router',
    [offered(uefi), leads('10.1.0.9', 'pxelinux.0'), told],
    'names the boot file "pxelinux.0"',
  ],
  [
    'our file elsewhere',
    'router',
    [offered(uefi), leads('10.1.0.5', 'labwright.efi'), told],
    'to 10.1.0.5, which is not',
  ],
  ['a silent router', 'router', [offered(ipxe), told], 'the DHCP server 10.1.0.1 names no boot file or another'],
  [
    'our file',
    'router',
    [offered(uefi), leads('10.1.0.9', 'labwright.efi'), told],
    'UDP port 69 is blocked on the way',
  ],
  ['BINL of the router', 'router', [offered(uefi), other({ saysPxe: true }), told], 'UDP port 4011 of 10.1.0.1'],
  ['nothing to boot', 'serve', [{ type: 'no-boot-file', client: uefi, reason: 'no loader' }], 'no loader'],
];

test.each(stalls)('the reason of a stall: %s', (_what, mode, sightings, reason) => {
  const { session } = see(start(mode), ...sightings);
  const [event] = tick(session, session.seenAt + 1e6).events;
  expect(event?.detail).toContain(reason);
  expect(event?.detail).toMatch(/ and then nothing came for \d+ s: /);
});

test('a broken transfer says how far it came', () => {
  const sent = { type: 'transferring', name: 'initrd', sentBytes: 3 * 1024 ** 2, sizeBytes: 45 * 1024 ** 2 } as const;
  const { session } = see(start(), ...uefiBoot.slice(0, 9), sent);
  expect(tick(session, 1e9).events[0]?.detail).toMatch(/^it was fetching the initrd \(3\.0 of 45\.0 MiB\).*broke off/);
});

test('in serve mode the address is known from the start', () => {
  expect(start('serve').firmwareAddress).toBe(ipv4('10.1.1.1'));
  expect(start('proxy').firmwareAddress).toBeUndefined();
});
