// The network cards of a guest on QEMU's command line: a tap each, with the boot ROM of its model.
import type { Profile } from './permissions.ts';
import { readProperties, type Properties } from './property-string.ts';
import { networkFormat } from './property-formats.ts';
import type { VmValues } from './vm-config-file.ts';

export function tapName(vmId: number, network: string): string {
  return `tap${vmId}i${network.slice('net'.length)}`;
}

export function parseNetwork(value: string | undefined): Properties {
  return readProperties(networkFormat, value);
}

export function formatNetworks(
  vmId: number,
  values: VmValues,
  bootIndex: ReadonlyMap<string, number>,
  isUefi: boolean,
  profile: Profile,
): string[] {
  const argv: string[] = [];
  // Firmware since edk2 2024 offers no network boot to a machine without a random number generator; that of Debian 12 is
  // older, so its own network boot and the card's ROM are switched off.
  const isWithoutNetworkBoot = profile === '9.2' && isUefi && values['rng0'] === undefined;
  const names = Object.keys(values)
    .filter((name) => /^net\d+$/.test(name))
    .sort();
  for (const name of names) {
    const network = parseNetwork(values[name]);
    const device = network['model'] === 'virtio' ? 'virtio-net-pci' : (network['model'] ?? 'virtio-net-pci');
    const boot = bootIndex.has(name) && !isWithoutNetworkBoot ? `,bootindex=${bootIndex.get(name)}` : '';
    const isPlugged = network['bridge'] !== undefined;
    const backend = isPlugged ? `tap,ifname=${tapName(vmId, name)},script=no,downscript=no,vhost=off` : 'user';
    argv.push('-netdev', `${backend},id=${name}`);
    const rom = isWithoutNetworkBoot ? ',romfile=' : '';
    argv.push('-device', `${device},mac=${network['macaddr'] ?? ''},netdev=${name},id=${name}${boot}${rom}`);
  }
  if (isWithoutNetworkBoot) {
    for (const family of ['IPv4', 'IPv6']) argv.push('-fw_cfg', `name=opt/org.tianocore/${family}PXESupport,string=n`);
  }
  return argv;
}
