// Login, permissions, roles and access rules.
import { ApiError, parameterError, refusal } from '../error.ts';
import { getPrivileges, listBuiltInRoles, listPrivileges } from '../permissions.ts';
import { splitList } from '../property-formats.ts';
import { anyUser, flag, isSet, type Call, type Route } from '../route.ts';

async function createTicket({ context, parameters }: Call): Promise<unknown> {
  const { username = '', password = '', realm } = parameters;
  if (parameters['otp'] !== undefined || parameters['tfa-challenge'] !== undefined)
    throw new ApiError(401, 'authentication failure');
  const user = username.includes('@') || realm === undefined ? username : `${username}@${realm}`;
  const { ticket, csrfToken } = await context.access.login(user, password);
  return {
    username: user,
    ticket,
    CSRFPreventionToken: csrfToken,
    clustername: context.topology.cluster,
    cap: await getCapabilities(context, user),
  };
}

/** What the web page would show or hide: privileges by area. */
async function getCapabilities(
  context: Call['context'],
  user: string,
): Promise<Record<string, Record<string, number>>> {
  const users = await context.access.readUsers();
  const areas = {
    vms: '/vms',
    storage: '/storage',
    access: '/access',
    nodes: '/nodes',
    dc: '/',
    sdn: '/sdn',
    mapping: '/mapping',
  };
  const rows = Object.entries(areas).map(([area, path]): [string, Record<string, number>] => [
    area,
    Object.fromEntries([...getPrivileges(users, context.topology.profile, user, path)].map(([name]) => [name, 1])),
  ]);
  return Object.fromEntries(rows);
}

async function readPermissions({ context, caller, parameters }: Call): Promise<unknown> {
  const user = parameters['userid'] ?? caller.user;
  if (user !== caller.user && user.split('!')[0] !== caller.user) caller.privileges.require('/access', ['Sys.Audit']);
  const users = await context.access.readUsers();
  const wanted = parameters['path'];
  if (wanted !== undefined && !wanted.startsWith('/'))
    throw parameterError({ path: 'invalid path - must start with /' });
  const known = [
    '/',
    '/access',
    '/access/groups',
    '/access/realm',
    '/mapping',
    '/nodes',
    '/pool',
    '/sdn',
    '/storage',
    '/vms',
  ];
  const paths =
    wanted === undefined ? [...new Set([...known, ...users.rules.map((rule) => rule.path)])].sort() : [wanted];
  const rows = paths.map((path): [string, Record<string, number>] => {
    const privileges = getPrivileges(users, context.topology.profile, user, path);
    return [path, Object.fromEntries([...privileges].map(([name, propagate]) => [name, propagate ? 1 : 0]))];
  });
  return Object.fromEntries(rows.filter(([, privileges]) => Object.keys(privileges).length > 0));
}

async function updateAcl({ context, caller, parameters }: Call): Promise<null> {
  const path = parameters['path'] ?? '/';
  caller.privileges.require(path, ['Permissions.Modify']);
  const subjects = [...splitList(parameters['users'] ?? ''), ...splitList(parameters['tokens'] ?? '')];
  if (subjects.length === 0) throw parameterError({ users: "either 'users', 'groups' or 'tokens' is required." });
  const known = listBuiltInRoles(context.topology.profile);
  await context.access.changeUsers((users) => {
    for (const role of splitList(parameters['roles'] ?? '')) {
      if (users.roles[role] === undefined && known[role] === undefined) throw refusal(`role '${role}' does not exist`);
      for (const subject of subjects) {
        users.rules = users.rules.filter(
          (rule) => !(rule.path === path && rule.subject === subject && rule.role === role),
        );
        if (!isSet(parameters, 'delete'))
          users.rules = [...users.rules, { path, subject, role, propagate: parameters['propagate'] !== '0' }];
      }
    }
  });
  return null;
}

export const accessRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/access/ticket',
    parameters: {},
    permission: { kind: 'world' },
    returns: 'null',
    answer: async () => null,
  },
  {
    method: 'POST',
    path: '/access/ticket',
    parameters: {
      'new-format': flag,
      otp: { type: 'string', optional: true },
      password: { type: 'string' },
      path: { type: 'string', optional: true, maxLength: 64, requires: 'privs' },
      privs: { type: 'string', optional: true, maxLength: 64, requires: 'path' },
      realm: { type: 'string', optional: true, maxLength: 32 },
      'tfa-challenge': { type: 'string', optional: true },
      username: { type: 'string', maxLength: 64 },
    },
    permission: { kind: 'world' },
    returns: 'object',
    isProtected: true,
    isTicketOnly: true,
    answer: createTicket,
  },
  {
    method: 'GET',
    path: '/access/permissions',
    parameters: {
      path: { type: 'string', optional: true },
      userid: {
        type: 'string',
        optional: true,
        pattern: /^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+(?:![A-Za-z][A-Za-z0-9.\-_]+)?$/,
      },
    },
    permission: anyUser,
    returns: 'object',
    answer: readPermissions,
  },
  {
    method: 'GET',
    path: '/access/roles',
    parameters: {},
    permission: anyUser,
    returns: 'array',
    answer: async ({ context }) => {
      const { profile } = context.topology;
      const own = (await context.access.readUsers()).roles;
      const builtIn = Object.entries(listBuiltInRoles(profile)).map(([roleid, privs]) => ({
        roleid,
        privs: privs.join(','),
        special: 1,
      }));
      return [
        ...builtIn,
        ...Object.entries(own).map(([roleid, privs]) => ({ roleid, privs: privs.join(','), special: 0 })),
      ];
    },
  },
  {
    method: 'POST',
    path: '/access/roles',
    parameters: { roleid: { type: 'string' }, privs: { type: 'string', optional: true } },
    permission: { kind: 'privilege', path: '/access', privileges: ['Sys.Modify'] },
    returns: 'null',
    isProtected: true,
    answer: async ({ context, parameters }) => {
      const privileges = splitList(parameters['privs'] ?? '');
      const known = listPrivileges(context.topology.profile);
      const unknown = privileges.find((privilege) => !known.includes(privilege));
      if (unknown !== undefined) throw parameterError({ privs: `invalid format - invalid privilege '${unknown}'\n` });
      await context.access.changeUsers((users) => {
        const roleId = parameters['roleid'] ?? '';
        if (users.roles[roleId] !== undefined) throw refusal(`create role failed: role '${roleId}' already exists`);
        users.roles[roleId] = privileges;
      });
      return null;
    },
  },
  {
    method: 'GET',
    path: '/access/acl',
    parameters: {},
    permission: anyUser,
    returns: 'array',
    answer: async ({ context, caller }) => {
      const { rules } = await context.access.readUsers();
      return rules
        .filter(
          (rule) => caller.privileges.has(rule.path, 'Sys.Audit') || caller.privileges.has('/access', 'Sys.Audit'),
        )
        .map((rule) => ({
          path: rule.path,
          type: rule.subject.includes('!') ? 'token' : 'user',
          ugid: rule.subject,
          roleid: rule.role,
          propagate: rule.propagate ? 1 : 0,
        }));
    },
  },
  {
    method: 'PUT',
    path: '/access/acl',
    parameters: {
      delete: flag,
      groups: { type: 'string', optional: true },
      path: { type: 'string' },
      propagate: flag,
      roles: { type: 'string' },
      tokens: { type: 'string', optional: true },
      users: { type: 'string', optional: true },
    },
    permission: anyUser,
    returns: 'null',
    isProtected: true,
    answer: updateAcl,
  },
];
