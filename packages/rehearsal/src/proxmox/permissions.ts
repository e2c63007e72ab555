// Who may do what: roles inherited down the path, a token held to its own rules and its user's, and Proxmox's privilege names
// of either line.
import { permissionError } from './error.ts';
import type { Topology } from './topology.ts';
import type { UserConfig } from './user-config.ts';

export type Profile = Topology['profile'];

const machine = {
  admin:
    'Config.Disk Config.CPU Config.Memory Config.Network Config.HWType Config.Options Allocate Clone Migrate Snapshot Snapshot.Rollback',
  user: 'Config.CDROM Config.Cloudinit Console Backup PowerMgmt',
  audit: 'Audit',
};
const named = (prefix: string, names: string): string[] => names.split(' ').map((name) => `${prefix}.${name}`);

/** PVE 9 took VM.Monitor away and split what the guest agent may do; 8.4 does not know the new names. */
const machineExtras: Readonly<Record<Profile, readonly string[]>> = {
  '8.4': ['VM.Monitor'],
  '9.2': [...named('VM.GuestAgent', 'Audit FileRead FileSystemMgmt FileWrite Unrestricted'), 'VM.Replicate'],
};

const others = [
  ...named('Sys', 'PowerMgmt Modify Incoming AccessNetwork Console Syslog Audit'),
  ...named('Datastore', 'Allocate AllocateTemplate AllocateSpace Audit'),
  ...named('SDN', 'Allocate Audit Use'),
  'Realm.Allocate',
  'Realm.AllocateUser',
  'User.Modify',
  'Group.Allocate',
  ...named('Pool', 'Allocate Audit'),
  ...named('Mapping', 'Modify Use Audit'),
  'Permissions.Modify',
];

export function listPrivileges(profile: Profile): readonly string[] {
  return [
    ...[machine.admin, machine.user, machine.audit].flatMap((names) => named('VM', names)),
    ...machineExtras[profile],
    ...others,
  ].sort();
}

export function listBuiltInRoles(profile: Profile): Readonly<Record<string, readonly string[]>> {
  const all = listPrivileges(profile);
  const audit = all.filter((privilege) => privilege.endsWith('.Audit'));
  const virtual = all.filter((privilege) => privilege.startsWith('VM.'));
  return {
    Administrator: all,
    NoAccess: [],
    PVEAdmin: all.filter(
      (name) => !/^(?:Sys\.(?:PowerMgmt|Modify|Incoming|AccessNetwork)|Realm\.Allocate$|Permissions)/.test(name),
    ),
    PVEAuditor: audit,
    PVEVMAdmin: virtual,
    PVEVMUser: [...named('VM', machine.user), 'VM.Audit'],
    PVEDatastoreAdmin: named('Datastore', 'Allocate AllocateTemplate AllocateSpace Audit'),
    PVEDatastoreUser: named('Datastore', 'AllocateSpace Audit'),
    PVESysAdmin: named('Sys', 'Console Syslog Audit'),
  };
}

/** Every privilege on the path with whether it also holds below it. */
export function getPrivileges(config: UserConfig, profile: Profile, user: string, path: string): Map<string, boolean> {
  const everything = (): Map<string, boolean> => new Map(listPrivileges(profile).map((name) => [name, true]));
  if (user === 'root@pam') return everything();
  const owner = user.split('!')[0] ?? '';
  if (config.users[owner]?.enabled !== true) return new Map();
  if (owner === user) return getRulePrivileges(config, profile, user, path);
  const token = config.tokens[user];
  if (token === undefined) return new Map();
  const ofOwner = owner === 'root@pam' ? everything() : getRulePrivileges(config, profile, owner, path);
  if (!token.privilegeSeparation) return ofOwner;
  const ofToken = getRulePrivileges(config, profile, user, path);
  return new Map([...ofToken].filter(([name]) => ofOwner.has(name)));
}

/** A rule on a deeper path replaces what was inherited; NoAccess there takes everything away. */
function getRulePrivileges(config: UserConfig, profile: Profile, subject: string, path: string): Map<string, boolean> {
  const roles: Readonly<Record<string, readonly string[]>> = { ...config.roles, ...listBuiltInRoles(profile) };
  const parts = path.split('/').filter((part) => part !== '');
  const levels = ['/', ...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)];
  let effective = new Map<string, boolean>();
  for (const [index, level] of levels.entries()) {
    const isLeaf = index === levels.length - 1;
    const rules = config.rules.filter(
      (rule) => rule.subject === subject && rule.path === level && (isLeaf || rule.propagate),
    );
    if (rules.length === 0) continue;
    effective = new Map(
      rules.flatMap((rule) => (roles[rule.role] ?? []).map((name) => [name, rule.propagate] as const)),
    );
  }
  return effective;
}

export interface PrivilegeCheck {
  has(path: string, privilege: string): boolean;
  /** Throws the 403 that names path and privileges. */
  require(path: string, privileges: readonly string[]): void;
  requireAny(path: string, privileges: readonly string[]): void;
}

export function makePrivilegeCheck(config: UserConfig, profile: Profile, user: string): PrivilegeCheck {
  const has = (path: string, privilege: string): boolean => getPrivileges(config, profile, user, path).has(privilege);
  return {
    has,
    require: (path, privileges) => {
      if (!privileges.every((privilege) => has(path, privilege)))
        throw permissionError(`${path}, ${privileges.join('|')}`);
    },
    requireAny: (path, privileges) => {
      if (!privileges.some((privilege) => has(path, privilege)))
        throw permissionError(`${path}, ${privileges.join('|')}`);
    },
  };
}
