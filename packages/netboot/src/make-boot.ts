// Small builders for tests: a network, a machine, DHCP messages of firmware.
import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { DhcpMessage } from '@labwright/wire/dhcp4/message';
import { messageType, type DhcpOptions } from '@labwright/wire/dhcp4/options';
import type { BootDirectory, BootMachine, BootNetwork } from './boot-network.ts';

export function makeNetwork(changes: Partial<BootNetwork> = {}): BootNetwork {
  return {
    address: ipv4('10.1.0.9'),
    cidr: cidr('10.1.0.0/22'),
    gateway: ipv4('10.1.0.1'),
    resolvers: [ipv4('10.1.0.1'), ipv4('10.1.0.2')],
    domain: 'home.arpa',
    httpPort: 8080,
    mode: 'serve',
    ...changes,
  };
}

export function makeMachine(changes: Partial<BootMachine> = {}): BootMachine {
  return {
    name: hostName('node101'),
    mac: mac('02:00:00:00:01:01'),
    address: ipv4('10.1.1.1'),
    firmware: 'uefi',
    image: 'debian',
    generation: 3,
    lab: labId('home'),
    ...changes,
  };
}

export function makeDirectory(machines: readonly BootMachine[]): BootDirectory {
  return {
    findByMac: (wanted) => machines.find((machine) => machine.mac === wanted),
    findByAddress: (wanted) => machines.find((machine) => machine.address === wanted),
  };
}

/** A request of the machine's network card; DISCOVER of an operating system unless the options say more. */
export function makeRequest(options: DhcpOptions = {}, changes: Partial<DhcpMessage> = {}): DhcpMessage {
  return {
    op: 'request',
    hardwareType: 1,
    hops: 0,
    xid: 0x1234_5678,
    secs: 0,
    flags: 0,
    ciaddr: '0.0.0.0',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    chaddr: Uint8Array.of(2, 0, 0, 0, 1, 1),
    sname: '',
    file: '',
    options: { messageType: messageType.discover, ...options },
    ...changes,
  };
}

export const uefiOptions: DhcpOptions = {
  vendorClass: 'PXEClient:Arch:00007:UNDI:003000',
  architectures: [7],
  parameterRequest: [1, 3, 6, 66, 67, 97],
  machineId: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
};

export const biosOptions: DhcpOptions = { vendorClass: 'PXEClient:Arch:00000:UNDI:002001', architectures: [0] };

/** iPXE in a BIOS ROM, with all it needs; in UEFI with `architectures: [7]`. */
export const ipxeOptions: DhcpOptions = {
  vendorClass: 'PXEClient:Arch:00000:UNDI:002001',
  architectures: [0],
  userClass: new TextEncoder().encode('iPXE'),
  ipxe: { featureHttp: 1, featureBzimage: 1 },
};
