// Which privileges a plan needs, which of them the login lacks, and the pveum lines that grant them.
import type { VmId } from '@labwright/core/addresses/names';
import { type Permissions, permissionsCall, rolesCall, type RoleRow } from './calls/access.ts';
import { versionCall } from './calls/cluster.ts';
import type { ProxmoxConnection } from './connection.ts';

/** What the lab asks of Proxmox, as far as privileges depend on it. */
export interface PrivilegeNeeds {
  readonly vmIds: readonly VmId[];
  readonly storages: readonly string[];
  readonly networks: readonly { readonly bridge: string; readonly vlan?: number }[];
  /** The order of start is kept in a property that only a login with Sys.Modify on / may set. */
  readonly startOrder: boolean;
  /** Reading what a guest agent says; the privilege has another name in each major version. */
  readonly guestAgent: boolean;
}

/** A path in Proxmox's tree of rights and what is needed there. */
export interface NeededPrivileges {
  readonly path: string;
  readonly privileges: readonly string[];
  /** For the user: "to create and run machines". */
  readonly purpose: string;
}

export type MajorVersion = 8 | 9;

const vmPrivileges = [
  'VM.Allocate',
  'VM.Audit',
  'VM.Config.CPU',
  'VM.Config.Disk',
  'VM.Config.HWType',
  'VM.Config.Memory',
  'VM.Config.Network',
  'VM.Config.Options',
  'VM.PowerMgmt',
];

export function privilegesFor(needs: PrivilegeNeeds, version: MajorVersion): readonly NeededPrivileges[] {
  // PVE 9 split VM.Monitor; reading the agent is VM.GuestAgent.Audit there.
  const agent = needs.guestAgent ? [version === 8 ? 'VM.Monitor' : 'VM.GuestAgent.Audit'] : [];
  const networks = needs.networks.map(({ bridge, vlan }) => `${bridge}${vlan === undefined ? '' : `/${vlan}`}`);
  return [
    { path: '/', privileges: ['Sys.Audit'], purpose: 'to see the hosts and which of them are up' },
    ...(needs.startOrder ? [{ path: '/', privileges: ['Sys.Modify'], purpose: 'to set the start order' }] : []),
    ...needs.vmIds.map((id) => ({
      path: `/vms/${id}`,
      privileges: [...vmPrivileges, ...agent],
      purpose: 'to create and run machines',
    })),
    ...unique(needs.storages).map((storage) => ({
      path: `/storage/${storage}`,
      privileges: ['Datastore.AllocateSpace', 'Datastore.Audit'],
      purpose: 'to make disks',
    })),
    ...unique(networks).map((network) => ({
      path: `/sdn/zones/localnetwork/${network}`,
      privileges: ['SDN.Use'],
      purpose: 'to connect machines to the network',
    })),
  ];
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts)];

/** What is needed and not granted, in the order of the needs; empty when the plan may run. */
export function findMissingPrivileges(
  granted: Permissions,
  needed: readonly NeededPrivileges[],
): readonly NeededPrivileges[] {
  return needed.flatMap((need) => {
    const held = privilegesOn(granted, need.path);
    const privileges = need.privileges.filter((privilege) => !held.has(privilege));
    return privileges.length === 0 ? [] : [{ ...need, privileges }];
  });
}

/** Proxmox lists the paths that have rules of their own; the nearest one above counts, as far as it propagates. */
function privilegesOn(granted: Permissions, path: string): ReadonlySet<string> {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('/')) || '/') {
    const here = Object.hasOwn(granted, at) ? granted[at] : undefined;
    if (here !== undefined) {
      const reaching = Object.entries(here).filter(([, propagates]) => at === path || propagates);
      return new Set(reaching.map(([privilege]) => privilege));
    }
    if (at === '/') return new Set();
  }
}

/** Least privilege: a role for each part of the tree, so that none reaches where it is not needed. */
const grants = [
  { role: 'LabwrightCluster', under: '/', on: () => '/' },
  { role: 'LabwrightMachines', under: '/vms/', on: () => '/vms' },
  { role: 'LabwrightStorage', under: '/storage/', on: (path: string) => path },
  { role: 'LabwrightNetwork', under: '/sdn/', on: (path: string) => path },
] as const;

/** Whom the lines are for: a token's rights are at most its user's, so both get them. */
export type Login = { readonly kind: 'user'; readonly user: string } | { readonly kind: 'token'; readonly id: string };

/** The lines to run as root on any host, in order. Empty when nothing is missing. */
export function formatPveumLines(
  missing: readonly NeededPrivileges[],
  roles: readonly RoleRow[],
  login: Login,
): readonly string[] {
  const holder =
    login.kind === 'user' ? `--users '${login.user}'` : `--users '${login.id.split('!')[0]}' --tokens '${login.id}'`;
  return grants.flatMap(({ role, under, on }) => {
    const needs = missing.filter(({ path }) => (under === '/' ? path === '/' : path.startsWith(under)));
    if (needs.length === 0) return [];
    const privileges = unique(needs.flatMap((need) => need.privileges)).toSorted();
    const paths = unique(needs.map((need) => on(need.path)));
    return [
      ...formatRoleLine(role, privileges, roles),
      ...paths.map((path) => `pveum acl modify ${path} ${holder} --roles ${role}`),
    ];
  });
}

function formatRoleLine(role: string, privileges: readonly string[], roles: readonly RoleRow[]): readonly string[] {
  const existing = roles.find((row) => row.roleid === role);
  if (existing === undefined) return [`pveum role add ${role} --privs "${privileges.join(' ')}"`];
  const has = new Set(existing.privs?.split(/[\s,;]+/));
  const lacking = privileges.filter((privilege) => !has.has(privilege));
  return lacking.length === 0 ? [] : [`pveum role modify ${role} --privs "${lacking.join(' ')}" --append 1`];
}

export interface PrivilegeReport {
  readonly version: string;
  readonly missing: readonly NeededPrivileges[];
  /** Grants exactly what is missing; to be run as root on a host. */
  readonly pveum: readonly string[];
}

/** Asks Proxmox what the login may do and compares. Changes nothing. */
export async function checkPrivileges(
  connection: ProxmoxConnection,
  needs: PrivilegeNeeds,
  { login, signal }: { readonly login: Login; readonly signal: AbortSignal },
): Promise<PrivilegeReport> {
  const [{ version }, granted, roles] = await Promise.all([
    connection.request(versionCall(), { signal }),
    connection.request(permissionsCall(), { signal }),
    connection.request(rolesCall(), { signal }),
  ]);
  const missing = findMissingPrivileges(granted, privilegesFor(needs, version.startsWith('8.') ? 8 : 9));
  return { version, missing, pveum: formatPveumLines(missing, roles, login) };
}
