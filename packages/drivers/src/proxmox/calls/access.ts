// Calls about what the login may do.
import { z } from 'zod';
import { type ProxmoxCall, proxmoxCall } from '../call.ts';
import { looseBoolean } from '../reading.ts';

const permissions = z.record(z.string(), z.record(z.string(), looseBoolean));
/** Path, then privilege, then whether it propagates to the paths below. */
export type Permissions = z.infer<typeof permissions>;

/** The rights of the login itself; with a path, those on exactly that path with everything inherited worked in. */
export function permissionsCall(path?: string): ProxmoxCall<Permissions> {
  return proxmoxCall('GET', '/access/permissions', permissions, path === undefined ? {} : { parameters: { path } });
}

const roleRow = z.object({ roleid: z.string(), privs: z.string().optional() });
export type RoleRow = z.infer<typeof roleRow>;

/** Any login may read it. */
export function rolesCall(): ProxmoxCall<RoleRow[]> {
  return proxmoxCall('GET', '/access/roles', z.array(roleRow));
}
