import { vmId } from '@labwright/core/addresses/names';
import { describe, expect, it } from 'vitest';
import { type PrivilegeNeeds, findMissingPrivileges, formatPveumLines, privilegesFor } from './privileges.ts';

const needs: PrivilegeNeeds = {
  vmIds: [vmId(101), vmId(102)],
  storages: ['local-lvm', 'local-lvm'],
  networks: [{ bridge: 'vmbr0', vlan: 20 }],
  startOrder: false,
  guestAgent: false,
};
const login = { kind: 'token', id: 'labwright@pve!cli' } as const;

function grantAll(propagate: boolean): Record<string, boolean> {
  const every = privilegesFor({ ...needs, startOrder: true, guestAgent: true }, 9).flatMap((need) => need.privileges);
  return Object.fromEntries(every.map((privilege) => [privilege, propagate]));
}

describe('privileges', () => {
  it('granted on / reach everywhere, if they propagate', () => {
    expect(findMissingPrivileges({ '/': grantAll(true) }, privilegesFor(needs, 9))).toEqual([]);
    const missing = findMissingPrivileges({ '/': grantAll(false) }, privilegesFor(needs, 9));
    expect(missing.map((need) => need.path)).toEqual([
      '/vms/101',
      '/vms/102',
      '/storage/local-lvm',
      '/sdn/zones/localnetwork/vmbr0/20',
    ]);
  });

  it('of the nearest path above count, not those further up', () => {
    const granted = { '/': grantAll(true), '/vms': { 'VM.Audit': true } };
    const missing = findMissingPrivileges(granted, privilegesFor(needs, 9));
    expect(missing.map((need) => need.path)).toEqual(['/vms/101', '/vms/102']);
    expect(missing[0]?.privileges).not.toContain('VM.Audit');
  });

  it('have the names of the version', () => {
    const named = (version: 8 | 9): readonly string[] =>
      privilegesFor({ ...needs, guestAgent: true }, version).flatMap((need) => need.privileges);
    expect([named(8).includes('VM.Monitor'), named(9).includes('VM.Monitor')]).toEqual([true, false]);
    expect(named(9)).toContain('VM.GuestAgent.Audit');
  });

  it('that are missing give the lines to type, each once', () => {
    const missing = findMissingPrivileges(
      { '/': { 'Sys.Audit': true } },
      privilegesFor({ ...needs, startOrder: true }, 9),
    );
    expect(formatPveumLines(missing, [{ roleid: 'LabwrightStorage', privs: 'Datastore.Audit' }], login)).toEqual([
      'pveum role add LabwrightCluster --privs "Sys.Modify"',
      "pveum acl modify / --users 'labwright@pve' --tokens 'labwright@pve!cli' --roles LabwrightCluster",
      'pveum role add LabwrightMachines --privs "VM.Allocate VM.Audit VM.Config.CPU VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.PowerMgmt"',
      "pveum acl modify /vms --users 'labwright@pve' --tokens 'labwright@pve!cli' --roles LabwrightMachines",
      'pveum role modify LabwrightStorage --privs "Datastore.AllocateSpace" --append 1',
      "pveum acl modify /storage/local-lvm --users 'labwright@pve' --tokens 'labwright@pve!cli' --roles LabwrightStorage",
      'pveum role add LabwrightNetwork --privs "SDN.Use"',
      "pveum acl modify /sdn/zones/localnetwork/vmbr0/20 --users 'labwright@pve' --tokens 'labwright@pve!cli' --roles LabwrightNetwork",
    ]);
  });

  it('that are all there give no line', () => {
    expect(formatPveumLines([], [], { kind: 'user', user: 'root@pam' })).toEqual([]);
  });
});
