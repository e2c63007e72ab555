// From method and path to the call they name.
import { accessRoutes } from './routes/access.ts';
import { agentRoutes } from './routes/agent.ts';
import { clusterRoutes } from './routes/cluster.ts';
import { nodeRoutes } from './routes/node.ts';
import { poolRoutes } from './routes/pool.ts';
import { storageRoutes } from './routes/storage.ts';
import { taskRoutes } from './routes/task.ts';
import { userRoutes } from './routes/user.ts';
import { versionRoutes } from './routes/version.ts';
import { vmRoutes } from './routes/vm.ts';
import { vmConfigRoutes } from './routes/vm-config.ts';
import { vmPowerRoutes } from './routes/vm-power.ts';
import type { Profile } from './permissions.ts';
import type { Route } from './route.ts';

export const allRoutes: readonly Route[] = [
  ...versionRoutes,
  ...accessRoutes,
  ...userRoutes,
  ...clusterRoutes,
  ...nodeRoutes,
  ...taskRoutes,
  ...storageRoutes,
  ...poolRoutes,
  ...vmRoutes,
  ...vmConfigRoutes,
  ...vmPowerRoutes,
  ...agentRoutes,
];

export interface FoundRoute {
  readonly route: Route;
  /** The values of the path's own parameters. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

const patterns = new Map(allRoutes.map((route) => [route, makePattern(route.path)]));

/** Undefined for what Proxmox has and the emulator has not, too: both are "not implemented". */
export function findRoute(method: string, path: string, profile: Profile): FoundRoute | undefined {
  for (const [route, pattern] of patterns) {
    if (route.method !== method || route.profiles?.includes(profile) === false) continue;
    const match = pattern.exec(path);
    if (match !== null) return { route, pathParameters: { ...match.groups } };
  }
  return undefined;
}

/** A volume's name may hold slashes; every other parameter is one segment. */
function makePattern(path: string): RegExp {
  const source = path.replaceAll(
    /\{(\w+)\}/g,
    (_, name: string) => `(?<${name}>${name === 'volume' ? '.+' : '[^/]+'})`,
  );
  return new RegExp(`^${source}/?$`);
}
