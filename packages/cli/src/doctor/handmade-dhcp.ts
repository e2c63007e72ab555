// What the router's DHCP has to say where it starts the machines and Labwright does not set it up.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { listHandmadeDhcp } from '@labwright/network/router/network-boot';
import type { Finding } from './doctor-report.ts';

export function describeHandmadeDhcp(
  { router }: Pick<Lab, 'router'>,
  blueprint: Pick<Blueprint, 'netboot' | 'network' | 'machines' | 'spares'>,
): readonly Finding[] {
  if (router?.manage.includes('dhcp') === true) return [];
  const commands = listHandmadeDhcp(blueprint);
  if (commands.length === 0) return [];
  const { cidr, gateway } = blueprint.network;
  return [
    {
      verdict: 'note',
      what: 'the DHCP of the router starts the machines (netboot.mode: router), and Labwright does not set it up',
      why:
        router === undefined
          ? `whoever leases addresses in ${cidr} needs what follows`
          : `what follows has to stand on ${router.name}; with dhcp in router.manage Labwright writes it`,
      typedOn: `on the DHCP server of ${cidr} (${router?.address ?? gateway})`,
      commands,
    },
  ];
}
