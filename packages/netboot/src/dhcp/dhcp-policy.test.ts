import { expect, test } from 'vitest';
import type { BootEvent } from '@labwright/core/events/boot';
import { systemRandom } from '@labwright/core/ports/system';
import { encodeDhcp, type DhcpMessage } from '@labwright/wire/dhcp4/message';
import { messageType, type DhcpOptions } from '@labwright/wire/dhcp4/options';
import type { BootNetwork } from '../boot-network.ts';
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
import { answerBootServer, answerDhcp, type DhcpVerdict, type DhcpWorld } from './dhcp-policy.ts';
import { destinationOf } from './reply.ts';

const skip = Uint8Array.of(6, 1, 8, 255);

function makeWorld(changes: Partial<BootNetwork> = {}): DhcpWorld & { readonly events: BootEvent[] } {
  const machine = makeMachine();
  const events: BootEvent[] = [];
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() };
  const network = makeNetwork(changes);
  const emit = (event: BootEvent): void => void events.push(event);
  return {
    network,
    directory: makeDirectory([machine]),
    sessions: new BootSessions({ clock, random: systemRandom, mode: network.mode, emit }),
    loaders: new Set(['snponly.efi', 'undionly.kpxe']),
    clock,
    events,
  };
}

function replyOf(verdict: DhcpVerdict): DhcpMessage {
  if (verdict.kind !== 'answer') throw new Error(`the verdict is ${verdict.kind}`);
  // Whatever is answered can be sent to the smallest client.
  encodeDhcp(verdict.reply, 548);
  return verdict.reply;
}

test('UEFI is offered address, file and the order to skip discovery', () => {
  const reply = replyOf(answerDhcp(makeRequest(uefiOptions), makeWorld()));
  expect(reply).toMatchObject({
    op: 'reply',
    yiaddr: '10.1.1.1',
    siaddr: '10.1.0.9',
    file: expect.stringMatching(/^b\/[0-9a-f]{32}\/snponly\.efi$/),
    options: {
      messageType: messageType.offer,
      serverId: '10.1.0.9',
      subnetMask: '255.255.252.0',
      vendorClass: 'PXEClient',
      vendorSpecific: skip,
      machineId: uefiOptions.machineId,
    },
  });
  expect(reply.options.bootFile).toBe(reply.file);
});

test('iPXE is sent straight to the script and told not to wait for a proxy', () => {
  const reply = replyOf(answerDhcp(makeRequest(ipxeOptions), makeWorld()));
  expect(reply.file).toMatch(/^http:\/\/10\.1\.0\.9:8080\/b\/[0-9a-f]{32}\/boot\.ipxe$/);
  expect(reply.options.ipxe).toEqual({ noProxyDhcp: 1 });
});

test('the loader and the script of one boot have one token', () => {
  const world = makeWorld();
  const offer = replyOf(answerDhcp(makeRequest(uefiOptions), world));
  const session = world.sessions.current(makeMachine().mac);
  if (session === undefined) throw new Error('no session');
  world.sessions.see(session, { type: 'loader-requested', file: 'snponly.efi' });
  const script = replyOf(answerDhcp(makeRequest({ ...ipxeOptions, architectures: [7] }, { xid: 99 }), world));
  expect(offer.file).toContain(session.token);
  expect(script.file).toContain(session.token);
});

test('client id and relay agent come back as they were', () => {
  const clientId = Uint8Array.of(1, 2, 0, 0, 0, 1, 1);
  const relayAgent = Uint8Array.of(1, 2, 3, 4);
  const request = makeRequest({ clientId, relayAgent }, { giaddr: '10.1.0.2' });
  const reply = replyOf(answerDhcp(request, makeWorld()));
  expect(reply.options).toMatchObject({ clientId, relayAgent });
  expect(destinationOf(request, reply)).toEqual({ address: '10.1.0.2', to: 'relay' });
});

test.each([
  ['selecting', { serverId: '10.1.0.9', requestedAddress: '10.1.1.1' }, {}, 'ack', '255.255.255.255'],
  ['selecting another address', { serverId: '10.1.0.9', requestedAddress: '10.1.1.9' }, {}, 'nak', '255.255.255.255'],
  ['rebooting', { requestedAddress: '10.1.1.1' }, {}, 'ack', '255.255.255.255'],
  ['rebooting from elsewhere', { requestedAddress: '192.168.1.5' }, {}, 'nak', '255.255.255.255'],
  ['renewing', {}, { ciaddr: '10.1.1.1' }, 'ack', '10.1.1.1'],
  ['renewing what it should not have', {}, { ciaddr: '10.1.1.2' }, 'nak', '255.255.255.255'],
] as const)('a REQUEST of a client that is %s', (_state, options, fields, answer, address) => {
  const request = makeRequest({ messageType: messageType.request, ...options }, fields);
  const reply = replyOf(answerDhcp(request, makeWorld()));
  expect(reply.options.messageType).toBe(messageType[answer]);
  expect(reply.yiaddr).toBe(answer === 'ack' ? '10.1.1.1' : '0.0.0.0');
  expect(destinationOf(request, reply).address).toBe(address);
});

test('INFORM is answered without an address or a lease', () => {
  const request = makeRequest({ messageType: messageType.inform }, { ciaddr: '10.1.1.1' });
  const reply = replyOf(answerDhcp(request, makeWorld()));
  expect(reply).toMatchObject({ yiaddr: '0.0.0.0', ciaddr: '10.1.1.1', options: { messageType: messageType.ack } });
  expect(reply.options.leaseSeconds).toBeUndefined();
});

test('a client that chose another server, or found its address taken, is told of and not answered', () => {
  const choice = { messageType: messageType.request, serverId: '10.1.0.1', requestedAddress: '10.1.3.5' };
  expect(answerDhcp(makeRequest(choice), makeWorld())).toMatchObject({ kind: 'refused' });
  const taken = { messageType: messageType.decline, requestedAddress: '10.1.1.1' };
  expect(answerDhcp(makeRequest(taken), makeWorld())).toMatchObject({
    kind: 'refused',
    reason: 'node101 found its address 10.1.1.1 in use by somebody else',
  });
});

test('strangers get silence, and those that wanted to boot are told of', () => {
  const chaddr = Uint8Array.of(2, 9, 9, 9, 9, 9);
  expect(answerDhcp(makeRequest({}, { chaddr }), makeWorld())).toEqual({ kind: 'silent' });
  expect(answerDhcp(makeRequest(uefiOptions, { chaddr }), makeWorld())).toEqual({
    kind: 'refused',
    reason: '02:09:09:09:09:09 is not a machine of the lab file',
  });
  expect(answerBootServer(makeRequest(uefiOptions, { chaddr }), makeWorld())).toMatchObject({ kind: 'refused' });
});

test('a reply that comes to the server port and hardware that is not Ethernet are passed over', () => {
  expect(answerDhcp(makeRequest({}, { op: 'reply' }), makeWorld())).toEqual({ kind: 'silent' });
  expect(answerDhcp(makeRequest({}, { hardwareType: 32 }), makeWorld())).toEqual({ kind: 'silent' });
});

test('in router mode nothing on port 67 is answered; what is heard there is kept for the day a boot stops', () => {
  const world = makeWorld({ mode: 'router' });
  const request = { ...uefiOptions, messageType: messageType.request, serverId: '10.1.0.1' };
  for (const options of [{}, uefiOptions, { ...request, requestedAddress: '10.1.2.77' }]) {
    expect(answerDhcp(makeRequest(options), world)).toEqual({ kind: 'silent' });
  }
  const chaddr = Uint8Array.of(2, 9, 9, 9, 9, 9);
  expect(answerDhcp(makeRequest(uefiOptions, { chaddr }), world)).toEqual({ kind: 'silent' });
  expect(world.events).toMatchObject([
    { stage: 'offered', detail: 'UEFI x64 firmware asks the router for an address' },
  ]);
  expect(world.sessions.current(makeMachine().mac)?.seen).toMatchObject({
    acknowledged: true,
    lease: { server: '10.1.0.1', address: '10.1.2.77' },
  });
});

test('on port 4011 router mode names the files that the router should, and no token', () => {
  const world = makeWorld({ mode: 'router' });
  const ask = (options: DhcpOptions) =>
    replyOf(answerBootServer(makeRequest({ ...options, messageType: messageType.request }), world)).file;
  expect([ask(uefiOptions), ask(biosOptions), ask(ipxeOptions)]).toEqual([
    'labwright.efi',
    'labwright.pxe',
    'labwright.pxe',
  ]);
});

test('option 60 never goes out without option 43', () => {
  for (const mode of ['serve', 'proxy', 'router'] as const) {
    for (const options of [{}, uefiOptions, ipxeOptions, { ...uefiOptions, architectures: [11] }]) {
      const verdict = answerDhcp(makeRequest(options), makeWorld({ mode }));
      const answered = verdict.kind === 'answer' ? verdict.reply.options : {};
      expect(answered.vendorClass === undefined).toBe(answered.vendorSpecific === undefined);
    }
  }
});

test('the boot server repeats the boot item that was chosen', () => {
  const request = makeRequest(
    { ...uefiOptions, messageType: messageType.request, vendorSpecific: Uint8Array.of(71, 4, 0, 0, 0, 0, 255) },
    { ciaddr: '10.1.3.7' },
  );
  const reply = replyOf(answerBootServer(request, makeWorld({ mode: 'proxy' })));
  expect(reply.options.vendorSpecific).toEqual(Uint8Array.of(6, 1, 8, 71, 4, 0, 0, 0, 0, 255));
});
