// What the lab says about exposures, as the decision takes it.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { ExposureSettings, RouterView } from './exposure.ts';

/** `view`: of the router, where there is one to look at; 'unseen' while it was not looked at yet. */
export function exposureSettings(
  { exposures, router }: Pick<Blueprint, 'exposures' | 'router'>,
  view?: RouterView | 'unseen',
): ExposureSettings {
  const { domains, balancer, ingress, range, taken, reserved } = exposures;
  return {
    domains,
    balancer,
    ingress,
    routerBalances: router?.manage.includes('haproxy') === true,
    ...(range === undefined ? {} : { range }),
    takenAddresses: new Map(taken.map(({ address, owner }) => [address, owner])),
    reservedNames: new Map(reserved.map(({ name, owner }) => [name, owner])),
    routerPorts: view === undefined || view === 'unseen' ? [] : view.ports,
    ...(view === undefined || view === 'unseen' ? {} : { usedAddresses: view }),
    ...(view === 'unseen'
      ? { unseen: `the router${router === undefined ? '' : ` ${router.name}`} was not seen yet` }
      : {}),
  };
}
