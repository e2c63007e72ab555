// Whether HAProxy runs on the router at all. It is its owner's to install and to switch on; until then nothing is written for it:
// HAProxy's test and its reload count as good while it is switched off, and every front end would refuse connections.
import { LabwrightError } from '@labwright/core/errors/error';
import { isMap, parseValue } from './config/config-value.ts';
import { findElement } from './config/xml-tree.ts';
import type { RouterState } from './router-state.ts';

export type BalancerStanding = 'on' | 'off' | 'absent';

export function balancerStanding({
  document,
  hasBalancer,
}: Pick<RouterState, 'document' | 'hasBalancer'>): BalancerStanding {
  // The section of a package that was removed stays in the configuration.
  if (!hasBalancer) return 'absent';
  const section = findElement(document.root, ['installedpackages', 'haproxy']);
  const value = section === undefined ? undefined : parseValue(section);
  return isMap(value) && 'enable' in value ? 'on' : 'off';
}

/** Where a person switches it on. */
export const balancerSwitch = 'Services > HAProxy > Settings > Enable';

/** LW8013; undefined while it is on. */
export function findIdleBalancer(router: string, standing: BalancerStanding): LabwrightError | undefined {
  if (standing === 'on') return undefined;
  const isOff = standing === 'off';
  return new LabwrightError('LW8013', {
    what: isOff ? `HAProxy is switched off on ${router}` : `the router ${router} has no HAProxy`,
    where: { router },
    why: 'nothing is written for it meanwhile; entries of ours that are there stay as they are',
    fix: [
      isOff
        ? `on the router: ${balancerSwitch}`
        : 'on the router: install the package haproxy under System > Package Manager',
      'or take haproxy out of router.manage in the lab file',
    ],
  });
}
