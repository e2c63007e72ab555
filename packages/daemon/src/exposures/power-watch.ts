// Whether VMs run, asked often: a node whose VM is off takes no connection, long before the cluster notices.
import { vmId, type VmId } from '@labwright/core/addresses/names';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { guestsCall } from '@labwright/drivers/proxmox/calls/cluster';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import type { NodePower } from '@labwright/network/exposures/exposure';

export interface PowerWatchOptions {
  readonly connection: ProxmoxConnection;
  readonly told: (power: ReadonlyMap<VmId, NodePower>) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
}

/** Resolves when the signal is aborted. A host that does not answer changes nothing. */
export async function watchPower(options: PowerWatchOptions): Promise<void> {
  const { connection, told, clock, log, everyMs = 3_000, signal } = options;
  while (!signal.aborted) {
    try {
      const guests = await connection.request(guestsCall(), { signal });
      const entries = guests.map(({ vmid, status }): readonly [VmId, NodePower] => [
        vmId(vmid),
        status === 'running' || status === 'stopped' ? status : 'unknown',
      ]);
      told(new Map(entries));
    } catch (error) {
      if (!signal.aborted) log.debug('the power of VMs is not known', { why: String(error) });
    }
    await clock.sleep(everyMs, signal).catch(() => undefined); // Aborted: the loop ends.
  }
}
