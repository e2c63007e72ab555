// Option values on their way into a configuration: canonical text, generated addresses and identities.
import { randomBytes, randomUUID } from 'node:crypto';
import { formatPropertyString } from './property-string.ts';
import { networkFormat } from './property-formats.ts';
import { parseNetwork } from './qemu-network-argv.ts';
import { isNetworkName } from './vm-options.ts';
import { normaliseTags, type VmValues } from './vm-config-file.ts';

/** The first three bytes of addresses that Proxmox makes up; its own registered block. */
const defaultMacPrefix = 'BC:24:11';

/** Network cards in their written order with an address each, tags normalised; disks are left to their allocation. */
export function normaliseValues(values: VmValues): VmValues {
  const normal: VmValues = {};
  for (const [name, value] of Object.entries(values)) {
    if (isNetworkName(name)) {
      const network = parseNetwork(value);
      normal[name] = formatPropertyString(networkFormat, { ...network, macaddr: network['macaddr'] ?? makeMac() });
    } else if (name === 'tags') normal[name] = normaliseTags(value);
    else if (name === 'vmgenid' && value === '1') normal[name] = randomUUID();
    else normal[name] = value;
  }
  return normal;
}

function makeMac(): string {
  const bytes = [...randomBytes(3)].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'));
  return [defaultMacPrefix, ...bytes].join(':');
}
