// The DHCPv4 options we know, as one table.
import { i8, ipv4, listOf, named, rawBytes, text, u16, u32, u8, type Codec } from '../bytes/codec.ts';
import { nestedOptions, option, type OptionsOf } from '../bytes/tagged-options.ts';

export const messageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

const messageTypeNames = Object.fromEntries(
  Object.entries(messageType).map(([name, value]) => [value, name.toUpperCase()]),
);

/** Processor and firmware that ask; the registry of DHCPv6 option 61 holds the current list. RFC 4578 §2.1, errata 3003 */
export const architecture = {
  bios: 0,
  efiIa32: 6,
  efiX64: 7,
  /** RFC 4578 said EBC; firmware that followed its text means x64. */
  efiBc: 9,
  efiArm64: 11,
  httpIa32: 15,
  httpX64: 16,
  httpArm64: 19,
} as const;

const architectureNames = Object.fromEntries(Object.entries(architecture).map(([name, value]) => [value, name]));

/** The client's network interface: 1 is UNDI, then its version. RFC 4578 §2.2 */
export interface NetworkInterfaceVersion {
  readonly type: number;
  readonly major: number;
  readonly minor: number;
}

const networkInterfaceVersion: Codec<NetworkInterfaceVersion> = {
  decode: (reader) => ({ type: reader.u8(), major: reader.u8(), minor: reader.u8() }),
  encode: (writer, value) => {
    writer.u8(value.type);
    writer.u8(value.major);
    writer.u8(value.minor);
  },
  format: (value) => `type ${value.type}, ${value.major}.${value.minor}`,
};

/** What a ROM needs to know besides the address. PXE 2.1 table 2-1 */
const pxeOptionTable = {
  discoveryControl: option(6, u8, 'PXE 2.1 table 2-1'),
  bootServers: option(8, rawBytes, 'PXE 2.1 table 2-1'),
  bootMenu: option(9, rawBytes, 'PXE 2.1 table 2-1'),
  menuPrompt: option(10, rawBytes, 'PXE 2.1 table 2-1'),
  bootItem: option(71, rawBytes, 'PXE 2.1 table 2-1'),
};
/** The content of option 43 when option 60 says PXEClient; for other vendors it means something else. */
export const pxeOptions = nestedOptions(pxeOptionTable, true);
/** Discovery control: do not look for boot servers, boot the file named. */
export const skipDiscovery = 8;

/** What iPXE says of itself and can be told. iPXE src/include/ipxe/dhcp.h, features.h */
const ipxeOptionTable = {
  priority: option(1, i8, 'iPXE dhcp.h'),
  featurePxeExtension: option(0x10, u8, 'iPXE features.h'),
  featureHttp: option(0x13, u8, 'iPXE features.h'),
  featureHttps: option(0x14, u8, 'iPXE features.h'),
  featureTftp: option(0x15, u8, 'iPXE features.h'),
  featureDns: option(0x17, u8, 'iPXE features.h'),
  featureBzimage: option(0x18, u8, 'iPXE features.h'),
  featureMultiboot: option(0x19, u8, 'iPXE features.h'),
  featurePxe: option(0x21, u8, 'iPXE features.h'),
  featureElf: option(0x22, u8, 'iPXE features.h'),
  featureEfi: option(0x24, u8, 'iPXE features.h'),
  featureMenu: option(0x27, u8, 'iPXE features.h'),
  noProxyDhcp: option(0xb0, u8, 'iPXE dhcp.h'),
  busId: option(0xb1, rawBytes, 'iPXE dhcp.h'),
  version: option(0xeb, rawBytes, 'iPXE dhcp.h'),
};
export const ipxeOptions = nestedOptions(ipxeOptionTable, false);

export const dhcpOptionTable = {
  messageType: option(53, named(u8, messageTypeNames), 'RFC 2132 §9.6'),
  serverId: option(54, ipv4, 'RFC 2132 §9.7'),
  leaseSeconds: option(51, u32, 'RFC 2132 §9.2'),
  renewalSeconds: option(58, u32, 'RFC 2132 §9.11'),
  rebindingSeconds: option(59, u32, 'RFC 2132 §9.12'),
  subnetMask: option(1, ipv4, 'RFC 2132 §3.3'),
  routers: option(3, listOf(ipv4), 'RFC 2132 §3.5'),
  nameServers: option(6, listOf(ipv4), 'RFC 2132 §3.8'),
  logServers: option(7, listOf(ipv4), 'RFC 2132 §3.9'),
  hostName: option(12, text, 'RFC 2132 §3.14'),
  bootFileBlocks: option(13, u16, 'RFC 2132 §3.15'),
  domainName: option(15, text, 'RFC 2132 §3.17'),
  interfaceMtu: option(26, u16, 'RFC 2132 §5.1'),
  broadcastAddress: option(28, ipv4, 'RFC 2132 §5.3'),
  timeServers: option(42, listOf(ipv4), 'RFC 2132 §8.3'),
  vendorSpecific: option(43, rawBytes, 'RFC 2132 §8.4'),
  requestedAddress: option(50, ipv4, 'RFC 2132 §9.1'),
  parameterRequest: option(55, listOf(u8), 'RFC 2132 §9.8'),
  message: option(56, text, 'RFC 2132 §9.9'),
  maxMessageSize: option(57, u16, 'RFC 2132 §9.10'),
  vendorClass: option(60, text, 'RFC 2132 §9.13'),
  clientId: option(61, rawBytes, 'RFC 2132 §9.14, RFC 6842'),
  tftpServerName: option(66, text, 'RFC 2132 §9.4'),
  bootFile: option(67, text, 'RFC 2132 §9.5'),
  /** iPXE sends plain text here, not RFC 3004's length-prefixed list, so it stays raw. */
  userClass: option(77, rawBytes, 'RFC 3004 §4'),
  architectures: option(93, listOf(named(u16, architectureNames)), 'RFC 4578 §2.1'),
  networkInterface: option(94, networkInterfaceVersion, 'RFC 4578 §2.2'),
  /** A zero byte and a UUID in most ROMs; mirrored as it is. */
  machineId: option(97, rawBytes, 'RFC 4578 §2.3'),
  ipxe: option(175, ipxeOptions, 'iPXE dhcp.h'),
  relayAgent: option(82, rawBytes, 'RFC 3046 §2'),
};

export type DhcpOptions = OptionsOf<typeof dhcpOptionTable>;
