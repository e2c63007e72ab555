import { expect, test } from 'vitest';
import type { BootEvent } from '@labwright/core/events/boot';
import type { Clock } from '@labwright/core/ports/clock';
import type { Random } from '@labwright/core/ports/random';
import { bootClientOf } from '../dhcp/boot-client.ts';
import { ipxeOptions, makeMachine, makeRequest, uefiOptions } from '../make-boot.ts';
import { BootSessions } from './boot-sessions.ts';

const uefi = bootClientOf(makeRequest(uefiOptions));
const ipxe = bootClientOf(makeRequest(ipxeOptions));

function makeSessions(mode: 'serve' | 'proxy' = 'serve') {
  let now = 0;
  let count = 0;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const random: Random = {
    bytes: (size) => {
      count += 1;
      return new Uint8Array(size).fill(count);
    },
  };
  const events: BootEvent[] = [];
  const sessions = new BootSessions({ clock, random, mode, emit: (event) => events.push(event) });
  return { sessions, events, pass: (ms: number) => void (now += ms) };
}

test('repeated packets of one boot have one token; the next boot has another and the old one is refused', () => {
  const { sessions } = makeSessions();
  const machine = makeMachine();
  const first = sessions.open(machine, uefi, 'discover');
  sessions.see(first, { type: 'offered', client: uefi, detail: 'an offer' });
  expect(sessions.open(machine, uefi, 'discover').token).toBe(first.token);
  sessions.see(first, { type: 'loader-requested', file: 'snponly.efi' });
  expect(sessions.open(machine, uefi, 'other').token).toBe(first.token);
  const second = sessions.open(machine, uefi, 'discover');
  expect(second.token).not.toBe(first.token);
  expect(sessions.redeem(first.token, '10.1.1.1')).toEqual({
    kind: 'refused',
    reason: 'the token is of an earlier boot of node101',
  });
  expect(sessions.redeem(second.token, '10.1.1.1').kind).toBe('good');
});

test('a machine that is set up anew boots anew', () => {
  const { sessions } = makeSessions();
  const first = sessions.open(makeMachine({ generation: 1 }), uefi, 'discover');
  expect(sessions.open(makeMachine({ generation: 2 }), uefi, 'other').token).not.toBe(first.token);
});

test('a token is good from the machine’s address only', () => {
  const { sessions } = makeSessions();
  const { token } = sessions.open(makeMachine(), uefi, 'discover');
  expect(sessions.redeem(token, '10.1.1.2')).toMatchObject({
    kind: 'refused',
    reason: expect.stringContaining('node101'),
  });
  expect(sessions.redeem(token, 'nonsense').kind).toBe('refused');
  expect(sessions.redeem('f'.repeat(32), '10.1.1.1')).toMatchObject({ reason: 'no boot has this token' });
});

test('beside another DHCP server the first address that shows the token is bound to it', () => {
  const { sessions } = makeSessions('proxy');
  const { token } = sessions.open(makeMachine(), uefi, 'discover');
  expect(sessions.redeem(token, '10.1.3.77').kind).toBe('good');
  expect(sessions.redeem(token, '10.1.3.78').kind).toBe('refused');
  expect(sessions.redeem(token, '10.1.3.77').kind).toBe('good');
  // Later the installer uses the machine's own address.
  expect(sessions.redeem(token, '10.1.1.1').kind).toBe('good');
});

test('one that shows it from its own address first is bound to that as well', () => {
  const { sessions } = makeSessions('proxy');
  const { token } = sessions.open(makeMachine(), uefi, 'discover');
  expect(sessions.redeem(token, '10.1.1.1').kind).toBe('good');
  expect(sessions.redeem(token, '10.1.3.78').kind).toBe('refused');
});

test('the iPXE that firmware loaded may be leased another address than the firmware', () => {
  const { sessions } = makeSessions('proxy');
  const session = sessions.open(makeMachine(), uefi, 'discover');
  sessions.see(session, { type: 'offered', client: uefi, detail: 'a loader' });
  expect(sessions.redeem(session.token, '10.1.3.77').kind).toBe('good');
  sessions.see(session, { type: 'loader-requested', file: 'snponly.efi' });
  sessions.see(session, { type: 'offered', client: ipxe, detail: 'the script' });
  expect(sessions.redeem(session.token, '10.1.3.78').kind).toBe('good');
  expect(sessions.redeem(session.token, '10.1.3.77').kind).toBe('refused');
});

test('a token expires', () => {
  const { sessions, pass } = makeSessions();
  const { token } = sessions.open(makeMachine(), uefi, 'discover');
  pass(5 * 60 * 60 * 1000);
  expect(sessions.redeem(token, '10.1.1.1')).toEqual({ kind: 'refused', reason: 'the token of node101 has expired' });
});

test('events carry the session’s name and never its token', () => {
  const { sessions, events, pass } = makeSessions();
  const session = sessions.open(makeMachine(), uefi, 'discover');
  sessions.see(session, { type: 'offered', client: uefi, detail: 'an offer' });
  pass(60_000);
  sessions.tick();
  expect(events.map(({ stage }) => stage)).toEqual(['offered', 'stalled']);
  expect(JSON.stringify(events)).not.toContain(session.token);
  expect(events[0]?.session).toBe(session.id);
});

test('a session is found by the address its loader was fetched to, until the machine goes on', () => {
  const { sessions } = makeSessions();
  const session = sessions.open(makeMachine(), uefi, 'discover');
  sessions.see(session, { type: 'offered', client: uefi, detail: 'an offer' });
  expect(sessions.loadedAt('10.1.1.1')).toBeUndefined();
  sessions.see(session, { type: 'loader-requested', file: 'snponly.efi' });
  expect(sessions.loadedAt('10.1.1.1')?.token).toBe(session.token);
  expect(sessions.loadedAt('10.1.1.2')).toBeUndefined();
  sessions.see(session, { type: 'requested', name: 'kernel' });
  expect(sessions.loadedAt('10.1.1.1')).toBeUndefined();
});
