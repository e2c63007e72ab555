// The machine that is asked whether it can mount what a NAS exports: one of the cluster, which has an NFS client.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { HypervisorFacts } from '@labwright/core/facts/hypervisors';
import type { MachineReport } from '@labwright/core/facts/machines';
import type { Secret } from '@labwright/core/ports/secret';
import type { SshTarget } from '@labwright/drivers/ssh/run';
import { allMachines } from '@labwright/machines/replacements';

const mountMs = 60_000;

/** The first that runs and has told its host key since it was started; undefined while there is none. */
export function findMountMachine(
  blueprint: Blueprint,
  { vms }: Pick<HypervisorFacts, 'vms'>,
  reports: readonly MachineReport[],
  call: { readonly privateKey: Secret; readonly signal: AbortSignal },
): SshTarget | undefined {
  const running = new Set(vms.filter(({ status }) => status === 'running').map(({ vmId }) => vmId));
  for (const { name, vmId, role, address } of allMachines(blueprint)) {
    const report = reports.find((each) => each.name === name);
    if (role === undefined || report === undefined || !running.has(vmId)) continue;
    const { user } = blueprint.ssh;
    return { host: address, port: 22, user, hostKey: report.sshHostKey, timeoutMs: mountMs, ...call };
  }
  return undefined;
}
