// Versions and the node's own time, as the emulated line of Proxmox reports them.
import { nowSeconds } from '../clock.ts';
import type { Profile } from '../permissions.ts';
import { anyUser, node, type Route } from '../route.ts';

export const versions: Readonly<
  Record<Profile, { readonly version: string; readonly release: string; readonly repoid: string }>
> = {
  '8.4': { version: '8.4.14', release: '8.4', repoid: 'b502d23c55afcba1' },
  '9.2': { version: '9.2.11', release: '9.2', repoid: 'a7d3f1b0c2e45968' },
};

export const versionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/version',
    parameters: {},
    permission: anyUser,
    returns: 'object',
    answer: async ({ context }) => versions[context.topology.profile],
  },
  {
    method: 'GET',
    path: '/nodes/{node}/version',
    parameters: { node },
    permission: anyUser,
    returns: 'object',
    isProxied: true,
    answer: async ({ context }) => versions[context.topology.profile],
  },
  {
    method: 'GET',
    path: '/nodes/{node}/time',
    parameters: { node },
    permission: { kind: 'privilege', path: '/nodes/{node}', privileges: ['Sys.Audit'] },
    returns: 'object',
    isProxied: true,
    answer: async ({ context }) => ({
      time: nowSeconds(context.clock),
      localtime: nowSeconds(context.clock),
      timezone: 'UTC',
    }),
  },
];
