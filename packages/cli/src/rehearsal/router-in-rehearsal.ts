// The lab's router in a rehearsal: an emulated pfSense with what its owner had there before Labwright came. What Labwright is to manage
// is left to it; the rest is set up as a person would have.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cidrRange, prefixLength, rangeContains, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { staticBootFiles } from '@labwright/core/blueprint/static-boot-files';
import { invariant } from '@labwright/core/errors/error';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { randomHex } from '@labwright/core/ports/random';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import { writePfsense } from '@labwright/rehearsal/pfsense/pfsense-device';
import { routerFiles, type RouterPlanInput } from '@labwright/rehearsal/pfsense/router-plan';
import { rehearsalFiles, type RehearsalPlan } from './lab-in-rehearsal.ts';
import { findLeaseRange } from './lease-range.ts';
import { listApplianceNames, listManagedNames } from './names-in-rehearsal.ts';
import { listPossibleControlPlanes } from './rehearsed-lab.ts';
import { readRehearsedSecret } from './rehearsed-secret.ts';

type LabRouter = NonNullable<Lab['router']>;

/** The router that is rehearsed: one of which anything is managed. A lab without has a plain gateway. */
export function rehearsedRouter({ router }: Lab): LabRouter | undefined {
  return router === undefined || router.manage.length === 0 ? undefined : router;
}

/** The lab file's name for pfSense's user 0. */
const administrator = 'admin';

/** In the topology, as the plain gateway: a name that no machine or appliance of a lab file has. */
const routerDevice = 'gateway';

export function routerControlSocket(stateDirectory: string): string {
  return routerFiles(rehearsalFiles(stateDirectory).router).control;
}

/** Writes what the emulated router reads and gives the device for the topology. */
export async function writeRouter(plan: RehearsalPlan, router: LabRouter): Promise<DeviceInput> {
  const { routerRoot: tree } = plan;
  invariant(tree !== undefined, 'a rehearsal with a router has its Debian root');
  const directory = rehearsalFiles(plan.stateDirectory).router;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const writePassword = async (user: string, password: string): Promise<string> => {
    const file = join(directory, `password-${user}`);
    await writeFile(file, password, { mode: 0o600 });
    return file;
  };
  invariant(router.password !== undefined, 'a checked lab has a password for a router that is managed');
  const password = await readRehearsedSecret(plan.stateDirectory, router.password);
  const login = { name: router.user, passwordFile: await writePassword('login', password.reveal()) };
  const users: RouterPlanInput['users'] =
    router.user === administrator
      ? [{ ...login, role: 'admin' }]
      : [
          // There is always one, and nobody has its password.
          {
            name: administrator,
            passwordFile: await writePassword(administrator, randomHex(plan.random, 16)),
            role: 'admin',
          },
          { ...login, role: 'sync' },
        ];
  return await writePfsense({
    name: routerDevice,
    router: {
      ...describeOwnersRouter(plan, router),
      version: 1,
      latency: 'small-appliance',
      tree,
      stateDirectory: directory,
      users,
    },
    nodeArguments: ['--disable-warning=ExperimentalWarning'],
  });
}

type OwnersRouter = Pick<
  RouterPlanInput,
  'lab' | 'hostname' | 'domain' | 'lan' | 'aliases' | 'port' | 'dhcp' | 'hosts' | 'balancer'
>;

/** The router as Labwright finds it. */
export function describeOwnersRouter(
  { lab, blueprint, laptopAddress }: Pick<RehearsalPlan, 'lab' | 'blueprint' | 'laptopAddress'>,
  router: LabRouter,
): OwnersRouter {
  const { network, domain, cluster } = blueprint;
  const isManaged = (part: LabRouter['manage'][number]): boolean => router.manage.includes(part);
  const names = [...listApplianceNames(blueprint), ...(isManaged('dns') ? [] : listManagedNames(blueprint))];
  const [address, ...aliases] = listAddresses(blueprint, router);
  return {
    lab: blueprint.lab,
    hostname: router.name,
    domain,
    lan: { address, bits: prefixLength(network.cidr) },
    aliases,
    port: router.port,
    dhcp: describeDhcp({ lab, blueprint, laptopAddress }, isManaged('dhcp')),
    hosts: names.map((each) => ({ host: each.name, domain, ip: each.address })),
    ...(cluster === undefined || isManaged('haproxy')
      ? {}
      : {
          balancer: {
            address: cluster.endpoint.address,
            port: cluster.endpoint.port,
            serverName: cluster.endpoint.name,
            controlPlanes: listPossibleControlPlanes(lab).map(({ name, address: at }) => ({ name, address: at })),
          },
        }),
  };
}

/** Its own and the gateway's, which may be one; first one that is in the network of the machines. */
function listAddresses({ network }: Blueprint, { address }: LabRouter): readonly [Ipv4, ...Ipv4[]] {
  if (address === network.gateway) return [address];
  return rangeContains(cidrRange(network.cidr), address) ? [address, network.gateway] : [network.gateway, address];
}

/**
 * Off where Labwright leases: two servers would both answer. Elsewhere it leases to everybody, and its owner gave the machines their
 * addresses, and where they boot from, where Labwright is not to.
 */
function describeDhcp(
  { lab, blueprint, laptopAddress }: Pick<RehearsalPlan, 'lab' | 'blueprint' | 'laptopAddress'>,
  isManaged: boolean,
): RouterPlanInput['dhcp'] {
  const { mode, address: nextServer } = blueprint.netboot;
  const isOn = mode !== 'serve';
  const range = findLeaseRange(lab, blueprint, [laptopAddress]);
  const machines = isOn && !isManaged ? [...blueprint.machines, ...(blueprint.spares ?? [])] : [];
  return {
    isOn,
    ...(range === undefined ? {} : { from: range.first, to: range.last }),
    leases: machines.map(({ mac, address, name }) => ({ mac, address, name })),
    ...(mode === 'router' && !isManaged
      ? { boot: { nextServer, bios: staticBootFiles.bios, uefi64: staticBootFiles.uefi } }
      : {}),
  };
}
