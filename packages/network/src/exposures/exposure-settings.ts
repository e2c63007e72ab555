// What the lab says about exposures, as the decision takes it.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { ExposureSettings, RouterPort } from './exposure.ts';

/** `routerPorts`: what the router was seen to listen on itself. */
export function exposureSettings(
  { exposures, router }: Pick<Blueprint, 'exposures' | 'router'>,
  routerPorts: readonly RouterPort[],
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
    routerPorts,
  };
}
