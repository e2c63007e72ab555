// What changing each option of a VM takes: the privilege of the option's table, and the special cases of values.
import type { Caller } from './node-context.ts';
import { permissionError, refusal } from './error.ts';
import { parseNetwork } from './qemu-network-argv.ts';
import { getVmOption, isDriveName, isNetworkName } from './vm-options.ts';
import type { VmValues } from './vm-config-file.ts';

/** Throws Proxmox's own refusal: 403 for a missing privilege, 500 for what only root@pam itself may set. */
export function checkOptionPermissions(caller: Caller, vmId: number, options: readonly string[]): void {
  if (caller.user === 'root@pam') return;
  for (const name of options) {
    // Disks are checked by value, with their storage.
    if (isDriveName(name) || name === 'cdrom' || name.startsWith('unused')) continue;
    const privilege = getVmOption(name)?.privilege ?? 'root';
    if (privilege === 'root') throw refusal(`only root can set '${name}' config`);
    if (privilege === 'VM.Config.Cloudinit')
      caller.privileges.requireAny(`/vms/${vmId}`, [privilege, 'VM.Config.Network']);
    else caller.privileges.require(`/vms/${vmId}`, [privilege]);
    if (name === 'startup') caller.privileges.require('/', ['Sys.Modify']);
  }
}

export function checkValuePermissions(caller: Caller, values: VmValues): void {
  if (caller.user === 'root@pam') return;
  for (const [name, value] of Object.entries(values)) {
    if (isNetworkName(name)) {
      const { bridge, tag } = parseNetwork(value);
      if (bridge !== undefined)
        caller.privileges.require(`/sdn/zones/localnetwork/${bridge}${tag === undefined ? '' : `/${tag}`}`, [
          'SDN.Use',
        ]);
    }
    if (/^serial\d$/.test(name) && value !== 'socket')
      throw refusal(`only root can set '${name}' config for real devices`);
    if (name === 'rng0' && /\/dev\/hwrng/.test(value) && !caller.privileges.has('/mapping/hwrng', 'Mapping.Use'))
      throw permissionError('/mapping/hwrng, Mapping.Use');
  }
}
