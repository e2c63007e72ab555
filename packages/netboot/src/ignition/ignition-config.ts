// One machine as an Ignition config (https://coreos.github.io/ignition, specification 3.3.0 and 3.4.0): who may log in, name, static network.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Mac } from '@labwright/core/addresses/mac';
import type { HostName } from '@labwright/core/addresses/names';
import type { IgnitionVersion } from './ignition-version.ts';

export interface IgnitionMachine {
  readonly hostname: HostName;
  readonly domain: string;
  /** Logs in with these keys only, and may do everything with sudo. */
  readonly user: { readonly name: string; readonly authorizedKeys: readonly string[] };
  readonly network: StaticNetwork;
  /** On top of what the above brings; a path given here wins. */
  readonly files: readonly IgnitionFile[];
  readonly units: readonly IgnitionUnit[];
}

export interface StaticNetwork {
  /** Finds the interface whatever the kernel calls it. */
  readonly mac: Mac;
  readonly address: Ipv4;
  readonly prefixLength: number;
  /** On the same card, and never the sender of what the machine itself sends. */
  readonly furtherAddresses?: readonly Ipv4[];
  readonly gateway?: Ipv4;
  readonly resolvers: readonly Ipv4[];
}

export interface IgnitionFile {
  readonly path: string;
  /** As in 0o644. */
  readonly mode: number;
  readonly content: string;
}

export interface IgnitionUnit {
  readonly name: string;
  /** Left out: as the unit is in the image. */
  readonly enabled?: boolean;
  readonly mask?: boolean;
  readonly content?: string;
  readonly dropins?: readonly { readonly name: string; readonly content: string }[];
}

/** JSON, always the same text for the same machine. Holds no secret: a boot server shows it to anyone with the boot's token. */
export function renderIgnition(machine: IgnitionMachine, version: IgnitionVersion): string {
  const files = new Map([...baseFiles(machine), ...machine.files].map((file) => [file.path, file]));
  const config = {
    ignition: { version },
    passwd: {
      users: [
        {
          name: machine.user.name,
          sshAuthorizedKeys: machine.user.authorizedKeys,
          groups: ['sudo'],
          shell: '/bin/bash',
        },
      ],
    },
    storage: { files: [...files.values()].map(renderFile) },
    systemd: { units: machine.units.map(renderUnit) },
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

function baseFiles(machine: IgnitionMachine): readonly IgnitionFile[] {
  const { hostname, domain, network, user } = machine;
  return [
    { path: '/etc/hostname', mode: 0o644, content: `${hostname}\n` },
    {
      path: '/etc/hosts',
      mode: 0o644,
      content: `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${network.address} ${hostname}.${domain} ${hostname}\n`,
    },
    {
      path: '/etc/resolv.conf',
      mode: 0o644,
      content: [...network.resolvers.map((resolver) => `nameserver ${resolver}`), `search ${domain}`, ''].join('\n'),
    },
    { path: '/etc/systemd/network/10-labwright.network', mode: 0o644, content: renderNetwork(network) },
    // The user has no password that sudo could ask for.
    { path: `/etc/sudoers.d/labwright`, mode: 0o440, content: `${user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n` },
  ];
}

/** systemd.network(5). */
function renderNetwork(network: StaticNetwork): string {
  return [
    '[Match]',
    `MACAddress=${network.mac}`,
    // Bridges and VLANs made on the machine later take over its address.
    'Type=ether',
    '',
    '[Network]',
    `Address=${network.address}/${network.prefixLength}`,
    ...(network.furtherAddresses ?? []).map((address) => `Address=${address}/32`),
    ...(network.gateway === undefined ? [] : [`Gateway=${network.gateway}`]),
    ...network.resolvers.map((resolver) => `DNS=${resolver}`),
    'DHCP=no',
    'LLMNR=no',
    '',
  ].join('\n');
}

function renderFile(file: IgnitionFile): object {
  return {
    path: file.path,
    mode: file.mode,
    // The image has some of them, and a file in a config of ours is meant to be as it says.
    overwrite: true,
    contents: { source: `data:,${encodeURIComponent(file.content)}` },
  };
}

function renderUnit(unit: IgnitionUnit): object {
  return {
    name: unit.name,
    ...(unit.enabled === undefined ? {} : { enabled: unit.enabled }),
    ...(unit.mask === undefined ? {} : { mask: unit.mask }),
    ...(unit.content === undefined ? {} : { contents: unit.content }),
    ...(unit.dropins === undefined
      ? {}
      : { dropins: unit.dropins.map(({ name, content }) => ({ name, contents: content })) }),
  };
}
