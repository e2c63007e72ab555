// What is answered to a datagram on port 67 (the DHCP server or proxy) and on port 4011 (the boot server).
import { parseIpv4 } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';
import type { Clock } from '@labwright/core/ports/clock';
import { unsetAddress, type DhcpMessage } from '@labwright/wire/dhcp4/message';
import { messageType } from '@labwright/wire/dhcp4/options';
import type { BootDirectory, BootMachine, BootNetwork } from '../boot-network.ts';
import type { BootSession } from '../session/boot-session.ts';
import type { BootSessions } from '../session/boot-sessions.ts';
import { bootClientOf, clientName, macOf, type BootClient } from './boot-client.ts';
import { chooseBootFile, chooseStaticFile, type BootChoice } from './boot-choice.ts';
import type { DynamicLeases } from './dynamic-leases.ts';
import { addressReply, nakReply, proxyReply, type AddressGrant } from './reply.ts';
import { addressRequestOf } from './request-kind.ts';

/** Firmware and initramfs need an address for minutes; installed machines hold theirs statically. */
const leaseSeconds = 3_600;

export interface DhcpWorld {
  readonly network: BootNetwork;
  readonly directory: BootDirectory;
  readonly sessions: BootSessions;
  readonly leases?: DynamicLeases;
  readonly loaders: ReadonlySet<string>;
  readonly clock: Clock;
}

export type DhcpVerdict =
  | { readonly kind: 'answer'; readonly reply: DhcpMessage }
  /** Not for us, and nothing to tell. */
  | { readonly kind: 'silent' }
  /** A client that wanted to boot, or a sign of trouble: told with the reason. */
  | { readonly kind: 'refused'; readonly reason: string };

const silent: DhcpVerdict = { kind: 'silent' };
const refused = (reason: string): DhcpVerdict => ({ kind: 'refused', reason });
const answer = (reply: DhcpMessage): DhcpVerdict => ({ kind: 'answer', reply });

/** Decides about a datagram to port 67. In 'router' mode it is only heard. */
export function answerDhcp(message: DhcpMessage, world: DhcpWorld): DhcpVerdict {
  const mac = macOf(message);
  if (message.op !== 'request' || mac === undefined) return silent;
  const machine = world.directory.findByMac(mac);
  switch (world.network.mode) {
    case 'router':
      if (machine !== undefined) hearMachine(message, machine, world);
      return silent;
    case 'serve':
      return machine === undefined ? answerStranger(message, mac, world) : answerMachine(message, machine, world);
    case 'proxy':
      return machine === undefined ? answerStranger(message, mac, world) : answerBesideOther(message, machine, world);
  }
}

/** Decides about a datagram to port 4011: a client that has its address and asks what to boot. */
export function answerBootServer(message: DhcpMessage, world: DhcpWorld): DhcpVerdict {
  const mac = macOf(message);
  if (message.op !== 'request' || mac === undefined) return silent;
  const machine = world.directory.findByMac(mac);
  if (machine === undefined) return refused(`${mac} is not a machine of the lab file`);
  const client = bootClientOf(message);
  const session = world.sessions.open(machine, client, 'other');
  world.sessions.see(session, { type: 'asked-4011' });
  const boot = chooseBoot(session, client, world);
  if (boot === undefined) return silent;
  if (boot.kind === 'none') return refused(`${machine.name}: ${boot.reason}`);
  return answer(proxyReply(message, 'ack', world.network, boot));
}

function answerMachine(message: DhcpMessage, machine: BootMachine, world: DhcpWorld): DhcpVerdict {
  const { network, sessions } = world;
  const client = bootClientOf(message);
  const grant: AddressGrant = { address: machine.address, hostName: machine.name, leaseSeconds };
  switch (message.options.messageType) {
    case messageType.discover:
      return answer(addressReply(message, 'offer', network, grant, bootFor(machine, client, 'discover', world)));
    case messageType.request: {
      const request = addressRequestOf(message, network.address);
      const session = sessions.current(machine.mac);
      if (request.kind === 'chose-other') {
        if (session !== undefined) sessions.see(session, { type: 'took-other-address', server: request.server });
        return refused(`${machine.name} took the address of another DHCP server, ${request.server}`);
      }
      if (request.kind === 'unclear') return silent;
      if (request.address !== machine.address) {
        return answer(nakReply(message, network, `the address of ${machine.name} is ${machine.address}`));
      }
      const boot = bootFor(machine, client, 'other', world);
      const opened = client.kind === 'system' ? undefined : sessions.current(machine.mac);
      if (opened !== undefined) sessions.see(opened, { type: 'acknowledged' });
      return answer(addressReply(message, 'ack', network, grant, boot));
    }
    case messageType.inform:
      return answer(addressReply(message, 'ack', network, grant, bootFor(machine, client, 'other', world)));
    case messageType.decline:
      return refused(`${machine.name} found its address ${machine.address} in use by somebody else`);
    default:
      return silent;
  }
}

/** In 'proxy' mode: only what to boot, and only to clients that boot. */
function answerBesideOther(message: DhcpMessage, machine: BootMachine, world: DhcpWorld): DhcpVerdict {
  const { network, sessions } = world;
  const client = bootClientOf(message);
  if (client.kind === 'system') return silent;
  switch (message.options.messageType) {
    case messageType.discover: {
      const boot = bootFor(machine, client, 'discover', world);
      if (boot === undefined) return silent;
      if (boot.kind === 'none') return refused(`${machine.name}: ${boot.reason}`);
      return answer(proxyReply(message, 'offer', network, boot));
    }
    case messageType.request: {
      // The other server answers it; here it shows that the machine has an address.
      const session = sessions.current(machine.mac);
      if (session !== undefined) sessions.see(session, { type: 'acknowledged' });
      return silent;
    }
    default:
      return silent;
  }
}

/** In 'router' mode: what it asks of the router and which address it took explain a boot that never comes to us. */
function hearMachine(message: DhcpMessage, machine: BootMachine, { sessions }: DhcpWorld): void {
  const client = bootClientOf(message);
  if (client.kind === 'system') return;
  const { messageType: type, serverId, requestedAddress } = message.options;
  if (type === messageType.discover) {
    const session = sessions.open(machine, client, 'discover');
    sessions.see(session, { type: 'offered', client, detail: `${clientName(client)} asks the router for an address` });
  }
  const session = sessions.current(machine.mac);
  if (type !== messageType.request || session === undefined) return;
  const isTold = serverId !== undefined && requestedAddress !== undefined;
  const lease = isTold ? { lease: { server: serverId, address: requestedAddress } } : {};
  sessions.see(session, { type: 'acknowledged', ...lease });
}

/** Clients that are not in the lab file: an address from the range, if there is one, and never anything to boot. */
function answerStranger(message: DhcpMessage, mac: Mac, world: DhcpWorld): DhcpVerdict {
  const { network, leases } = world;
  if (leases === undefined || network.mode !== 'serve') {
    const isDiscover = message.options.messageType === messageType.discover;
    const boots = bootClientOf(message).kind !== 'system';
    return isDiscover && boots ? refused(`${mac} is not a machine of the lab file`) : silent;
  }
  const now = world.clock.now();
  switch (message.options.messageType) {
    case messageType.discover: {
      const address = leases.offer(mac, now);
      if (address === undefined) return refused('every address of the dynamic range is taken');
      return answer(addressReply(message, 'offer', network, { address, leaseSeconds }));
    }
    case messageType.request: {
      const request = addressRequestOf(message, network.address);
      if (request.kind === 'chose-other' || request.kind === 'unclear') return silent;
      const judged = leases.judge(mac, request.address);
      // RFC 2131 §4.3.2: without a record of the client, silence; another server may know it.
      if (judged === 'unknown' && request.kind !== 'chose-us') return silent;
      const address = parseIpv4(request.address);
      if (judged !== 'yes' || address === undefined) {
        return answer(nakReply(message, network, `${request.address} is not the address of ${mac}`));
      }
      leases.confirm(mac, now + leaseSeconds * 1000);
      return answer(addressReply(message, 'ack', network, { address, leaseSeconds }));
    }
    case messageType.inform: {
      const address = parseIpv4(message.ciaddr) ?? network.address;
      return answer(addressReply(message, 'ack', network, { address, leaseSeconds }));
    }
    case messageType.release:
      leases.release(mac, message.ciaddr, now);
      return silent;
    case messageType.decline: {
      const address = message.options.requestedAddress ?? unsetAddress;
      leases.decline(mac, address, now);
      return refused(`${mac} found ${address} in use by somebody else`);
    }
    default:
      return silent;
  }
}

function bootFor(
  machine: BootMachine,
  client: BootClient,
  packet: 'discover' | 'other',
  world: DhcpWorld,
): BootChoice | undefined {
  if (client.kind === 'system') return undefined;
  return chooseBoot(world.sessions.open(machine, client, packet), client, world);
}

function chooseBoot(session: BootSession, client: BootClient, world: DhcpWorld): BootChoice | undefined {
  const { address, httpPort } = world.network;
  const { token, chained } = session;
  const boot =
    session.mode === 'router'
      ? chooseStaticFile(client, world.loaders)
      : chooseBootFile(client, { address, httpPort, token, loaders: world.loaders, chained });
  if (boot === undefined) return undefined;
  if (boot.kind === 'none') {
    world.sessions.see(session, { type: 'no-boot-file', client, reason: boot.reason });
    return boot;
  }
  world.sessions.see(session, { type: 'offered', client, detail: offerText(session, client, boot) });
  return boot;
}

function offerText(session: BootSession, client: BootClient, boot: BootChoice): string {
  const file = boot.kind === 'loader' ? boot.loader : 'the script';
  const what = session.mode === 'serve' ? `${session.machine.address} and ${file}` : file;
  if (client.kind === 'system') return what;
  return `${what} to ${clientName(client)}`;
}
