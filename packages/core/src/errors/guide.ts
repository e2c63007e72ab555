// The long form of every error code: what it means and what to do, for `labwright explain` and docs/errors.md.
import { clusterGuide } from './guides/cluster.ts';
import { labwrightGuide } from './guides/labwright.ts';
import { machinesGuide } from './guides/machines.ts';
import { proxmoxGuide } from './guides/proxmox.ts';
import { rehearsalGuide } from './guides/rehearsal.ts';
import { routerGuide } from './guides/router.ts';
import { servicesGuide } from './guides/services.ts';
import type { ErrorCode } from './table.ts';

export interface ErrorGuide {
  /** What happened and why it can, in a few sentences. */
  readonly meaning: string;
  /** What to try, most likely first. */
  readonly advice: readonly string[];
}

/** One file a group of codes. */
export const errorGuide: Readonly<Record<ErrorCode, ErrorGuide>> = {
  ...labwrightGuide,
  ...proxmoxGuide,
  ...machinesGuide,
  ...clusterGuide,
  ...servicesGuide,
  ...routerGuide,
  ...rehearsalGuide,
};
