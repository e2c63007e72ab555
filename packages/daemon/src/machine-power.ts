// A machine's power as its hypervisor has it, and whether the system on it is awake.
import { connect } from 'node:net';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { vmStatusCall } from '@labwright/drivers/proxmox/calls/vm';
import type { VmTarget } from '@labwright/drivers/proxmox/change';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { fetchOwnVm } from '@labwright/drivers/proxmox/find-vm';
import { resetVm } from '@labwright/drivers/proxmox/lifecycle';
import type { MachinePower } from './stuck-firmware.ts';

const sshPort = 22;
const probeMs = 3_000;

/** Its calls throw what the hypervisor's connection throws. */
export function makeMachinePower(connection: ProxmoxConnection, target: VmTarget, address: Ipv4): MachinePower {
  return {
    fetchUptimeMs: async (signal) => {
      const vm = await fetchOwnVm(connection, target, signal);
      if (vm === undefined) return undefined;
      const { status, uptime } = await connection.request(vmStatusCall(vm), { signal });
      return status === 'running' && uptime !== undefined ? uptime * 1000 : undefined;
    },
    answers: async (signal) => await hasSystemAt(address, sshPort, signal),
    reset: async (signal) => void (await resetVm(connection, target, { signal })),
  };
}

/** True also when the port is closed: then a system said so. */
export async function hasSystemAt(address: string, port: number, signal: AbortSignal): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    const decide = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(probeMs, () => decide(false));
    socket.once('connect', () => decide(true));
    socket.once('error', (error) => {
      if (signal.aborted) reject(signal.reason as Error);
      else decide('code' in error && error.code === 'ECONNREFUSED');
    });
  });
}
