// DHCP answers as values: what goes into an offer, an acknowledgement, a refusal, a proxy's offer, and where it is sent.
import { cidrRange, netmask, type Ipv4 } from '@labwright/core/addresses/ipv4';
import { ByteWriter } from '@labwright/wire/bytes/writer';
import { unsetAddress, type DhcpMessage } from '@labwright/wire/dhcp4/message';
import { messageType, pxeOptions, skipDiscovery, type DhcpOptions } from '@labwright/wire/dhcp4/options';
import type { BootNetwork } from '../boot-network.ts';
import type { BootChoice } from './boot-choice.ts';

export interface Destination {
  readonly address: string;
  readonly to: 'client' | 'relay';
}

/**
 * Where an answer on port 67 goes. RFC 2131 §4.1, of which a program without raw sockets can always do the last: it may
 * broadcast what it cannot send to an address that nobody answers ARP for yet.
 */
export function destinationOf(request: DhcpMessage, reply: DhcpMessage): Destination {
  if (request.giaddr !== unsetAddress) return { address: request.giaddr, to: 'relay' };
  const refused = reply.options.messageType === messageType.nak;
  if (request.ciaddr !== unsetAddress && !refused) return { address: request.ciaddr, to: 'client' };
  return { address: '255.255.255.255', to: 'client' };
}

export interface AddressGrant {
  readonly address: Ipv4;
  readonly hostName?: string;
  readonly leaseSeconds: number;
}

/** An offer or acknowledgement that gives an address, and a file to boot where the client boots. */
export function addressReply(
  request: DhcpMessage,
  type: 'offer' | 'ack',
  network: BootNetwork,
  grant: AddressGrant,
  boot?: BootChoice,
): DhcpMessage {
  const inform = request.options.messageType === messageType.inform;
  return reply(request, network, {
    yiaddr: inform ? unsetAddress : grant.address,
    ...bootFields(network, boot),
    options: {
      messageType: messageType[type],
      ...(inform ? {} : leaseTimes(grant.leaseSeconds)),
      subnetMask: netmask(network.cidr),
      routers: [network.gateway],
      nameServers: network.resolvers,
      ...(grant.hostName === undefined ? {} : { hostName: grant.hostName }),
      domainName: network.domain,
      broadcastAddress: cidrRange(network.cidr).last,
      ...bootOptions(request, boot),
      // Spares iPXE its two seconds of waiting for a proxy.
      ...(request.options.ipxe === undefined ? {} : { ipxe: { noProxyDhcp: 1 } }),
    },
  });
}

/** What to boot, for a client that gets its address elsewhere: on port 67 as an offer, on port 4011 as the answer. */
export function proxyReply(
  request: DhcpMessage,
  type: 'offer' | 'ack',
  network: BootNetwork,
  boot: BootChoice & { readonly kind: 'script' | 'loader' },
): DhcpMessage {
  return reply(request, network, {
    ...bootFields(network, boot),
    options: {
      messageType: messageType[type],
      ...bootOptions(request, boot),
      // A proxy's offer is one only with this class, also to a client that forgot its own.
      vendorClass: 'PXEClient',
      vendorSpecific: pxeAnswer(request),
    },
  });
}

export function nakReply(request: DhcpMessage, network: BootNetwork, reason: string): DhcpMessage {
  return reply(request, network, { options: { messageType: messageType.nak, message: reason } });
}

function reply(
  request: DhcpMessage,
  network: BootNetwork,
  fields: Partial<DhcpMessage> & { readonly options: DhcpOptions },
): DhcpMessage {
  const { clientId, machineId, relayAgent } = request.options;
  const nak = fields.options.messageType === messageType.nak;
  return {
    op: 'reply',
    hardwareType: request.hardwareType,
    hops: 0,
    xid: request.xid,
    secs: 0,
    flags: request.flags,
    ciaddr: nak ? unsetAddress : request.ciaddr,
    yiaddr: unsetAddress,
    siaddr: unsetAddress,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: '',
    file: '',
    ...fields,
    options: {
      ...fields.options,
      serverId: network.address,
      // RFC 6842 §3, RFC 3046 §2.2: both come back as they were.
      ...(clientId === undefined ? {} : { clientId }),
      ...(machineId === undefined || nak ? {} : { machineId }),
      ...(relayAgent === undefined ? {} : { relayAgent }),
    },
  };
}

function leaseTimes(leaseSeconds: number): DhcpOptions {
  return {
    leaseSeconds,
    renewalSeconds: Math.floor(leaseSeconds / 2),
    rebindingSeconds: Math.floor((leaseSeconds * 7) / 8),
  };
}

function bootFields(
  network: BootNetwork,
  boot: BootChoice | undefined,
): Pick<DhcpMessage, 'siaddr' | 'file'> | undefined {
  if (boot === undefined || boot.kind === 'none') return undefined;
  // edk2 takes its TFTP server from siaddr and never from option 66.
  return { siaddr: network.address, file: boot.file };
}

function bootOptions(request: DhcpMessage, boot: BootChoice | undefined): DhcpOptions {
  if (boot === undefined || boot.kind === 'none') return {};
  const wantsOption = request.options.parameterRequest?.includes(67) === true;
  const isPxe = request.options.vendorClass?.startsWith('PXEClient') === true;
  return {
    ...(wantsOption ? { bootFile: boot.file } : {}),
    // One without the other sends UEFI to port 4011 of whoever said so (edk2's "BINL").
    ...(isPxe ? { vendorClass: 'PXEClient', vendorSpecific: pxeAnswer(request) } : {}),
  };
}

/** "Boot the file named": 06 01 08 ff. A boot item that the client chose on port 4011 is repeated to it (PXE 2.1 §2.4). */
function pxeAnswer(request: DhcpMessage): Uint8Array {
  const bootItem = bootItemOf(request);
  const writer = new ByteWriter();
  pxeOptions.encode(writer, { discoveryControl: skipDiscovery, ...(bootItem === undefined ? {} : { bootItem }) });
  return writer.finish();
}

function bootItemOf(request: DhcpMessage): Uint8Array | undefined {
  const bytes = request.options.vendorSpecific;
  // 71, length 4, type, layer: found without decoding the rest, which some ROMs get wrong.
  return bytes !== undefined && bytes[0] === 71 && bytes[1] === 4 && bytes.length >= 6 ? bytes.slice(2, 6) : undefined;
}
