// An emulated cluster with machines of ours, looked at as the daemon does it, also with tokens that lack something.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostName, labId, vmId, type HostName } from '@labwright/core/addresses/names';
import type { MachineCondition } from '@labwright/core/facts/machines';
import { silentLog } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { formatMark, formatTags } from '@labwright/drivers/proxmox/mark';
import { observeHypervisors } from '@labwright/drivers/proxmox/observe';
import { fetchVmCondition } from '@labwright/drivers/proxmox/vm-condition';
import { makeMachineExecutors } from '@labwright/machines/executors';
import { makeBlueprint, makeMachine } from '@labwright/machines/sample-lab.test-data';
import type { VmRediskInput } from '@labwright/machines/step-input';
import {
  fixturePrivileges,
  fixtureSecret,
  fixtureToken,
  startClusterFixture,
  type ClusterFixture,
} from '@labwright/rehearsal/proxmox/cluster-fixture';

export const lab = labId('home');
export const storage = 'local-lvm';

const { signal } = new AbortController();
const secret = { sha256: createHash('sha256').update(fixtureSecret).digest('hex') };
const without = (...lacking: readonly string[]): readonly string[] =>
  fixturePrivileges.filter((name) => !lacking.includes(name));

/** Each is at most its user, who has all of it. */
export const weakTokens: Readonly<Record<string, readonly string[]>> = {
  'labwright@pve!no-disk': without('VM.Config.Disk'),
  'labwright@pve!no-audit': without('Datastore.Audit'),
  'labwright@pve!no-storage': without('Datastore.Audit', 'Datastore.AllocateSpace'),
};

interface VmOptions {
  readonly host?: string;
  readonly description?: string;
  readonly scsi0?: string;
  readonly efidisk0?: string;
}

export interface MarkedVms {
  readonly cluster: ClusterFixture;
  connectAs(token: string): ProxmoxConnection;
  /** As the daemon looks before it plans: at all of the hypervisors first, then at this one VM. */
  look(
    id: number,
    options?: { readonly token?: string; readonly hostsOff?: readonly HostName[] },
  ): Promise<MachineCondition>;
  /** Awaits the task and throws unless it ends well. */
  post(host: string, id: number, action: string, parameters?: Readonly<Record<string, string>>): Promise<void>;
  /** A VM of ours that was created and started. */
  makeVm(id: number, options?: VmOptions): Promise<void>;
  /** As healing does it, by the executor of that step. */
  giveNewDisk(id: number): Promise<void>;
  /** Of the VM's first volume on pve1. */
  diskFile(id: number, on?: string): string;
  /** A task of Proxmox on pve1 that leaves no other trace. */
  runTask(type: string, id: number, work?: () => Promise<void>): Promise<string>;
  close(): Promise<void>;
}

export async function startMarkedVms(): Promise<MarkedVms> {
  const cluster = await startClusterFixture({
    topology: {
      // A faster heart is missed for a dead host when this computer is busy.
      timeScale: 0.2,
      storages: [
        { id: 'local', type: 'dir', content: ['images', 'iso'] },
        { id: storage, type: 'lvmthin' },
        { id: 'san', type: 'lvm' },
      ],
      tokens: [
        { id: fixtureToken, secret, privilegeSeparation: false },
        ...Object.entries(weakTokens).map(([id, names]) => ({
          id,
          secret,
          acl: [{ path: '/', privileges: [...names] }],
        })),
      ],
    },
  });
  const authority = await readFile(cluster.topology.certificateAuthorityFile, 'utf8');

  const connectAs: MarkedVms['connectAs'] = (token) =>
    connectProxmox({
      hosts: cluster.topology.hosts,
      credentials: { kind: 'token', id: token, secret: new Secret(fixtureSecret) },
      tls: { kind: 'ca', pem: authority },
      expect: 'rehearsal',
      clock: systemClock,
      log: silentLog,
    });
  const callTask = async (path: string, parameters: Readonly<Record<string, string | number>>): Promise<void> => {
    const result = await cluster.callTask('POST', path, parameters);
    if (result !== 'OK') throw new Error(`${path}: ${result}`);
  };
  const post: MarkedVms['post'] = async (host, id, action, parameters = {}) =>
    await callTask(`/nodes/${host}/qemu/${id}/${action}`, parameters);
  const first = () => {
    const found = cluster.hosts.get('pve1');
    if (found === undefined) throw new RangeError('the fixture has a pve1');
    return found.context;
  };

  return {
    cluster,
    connectAs,
    post,
    look: async (id, { token = fixtureToken, hostsOff = [] } = {}) => {
      const connection = connectAs(token);
      try {
        const { vms } = await observeHypervisors(connection, { lab, vmIds: [vmId(id)], signal });
        const vm = vms.find((each) => each.vmId === id);
        return await fetchVmCondition(connection, vm, { lab, hostsOff: new Set(hostsOff), signal });
      } finally {
        await connection.close();
      }
    },
    makeVm: async (id, { host = 'pve1', scsi0 = `${storage}:1`, efidisk0, description } = {}) => {
      const machine = hostName(`node${id}`);
      const mark = formatMark({ lab, machine, pool: 'workers', vmId: vmId(id), generation: 1 });
      const disks = { scsi0, ...(efidisk0 === undefined ? {} : { bios: 'ovmf', efidisk0 }) };
      const ours = { tags: formatTags(lab).join(';'), description: description ?? mark };
      await callTask(`/nodes/${host}/qemu`, { vmid: id, name: machine, memory: 256, ...disks, ...ours });
      await post(host, id, 'status/start');
    },
    giveNewDisk: async (id) => {
      const connection = connectAs(fixtureToken);
      const executors = makeMachineExecutors({
        blueprint: makeBlueprint([makeMachine(id, { storage })]),
        connection,
        random: systemRandom,
        outdated: () => undefined,
        destroyed: () => undefined,
        wiped: () => undefined,
      });
      const vm = { name: `node${id}`, vmId: id, pool: 'workers', generation: 2, replaces: null };
      const input: VmRediskInput = { ...vm, storage, diskGiB: 1 };
      await executors.get('vm.redisk')?.run(input, { signal, progress: () => undefined });
      await connection.close();
    },
    diskFile: (id, on = storage) => first().volumes.getFile(`${on}:vm-${id}-disk-0`).path,
    runTask: async (type, id, work = () => Promise.resolve()) =>
      await first().tasks.start({ type, id: String(id), user: 'root@pam' }, work),
    close: async () => await cluster.close(),
  };
}
