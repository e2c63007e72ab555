// The lab's network storage in a rehearsal: which devices there are, and what is on them from the start.
import { join } from 'node:path';
import type { Blueprint, NasBlueprint, OutsideServiceBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { generateSshKey, readOrCreateSshIdentity } from '@labwright/drivers/ssh/identity';
import type { DeviceInput } from '@labwright/rehearsal/lab/topology';
import type { NasDatabase } from '@labwright/rehearsal/nas/database';
import { writeNas, type NasPlan } from '@labwright/rehearsal/nas/nas-device';
import { rehearsalFiles, type RehearsalPlan } from './lab-in-rehearsal.ts';
import { resolverOf } from './names-in-rehearsal.ts';
import { readRehearsedSecret } from './rehearsed-secret.ts';

/** The NAS is there for the cluster: a rehearsal of machines alone goes without. */
export function isNasRehearsed(lab: Lab): boolean {
  return lab.kubernetes !== undefined && Object.keys(lab.nas).length > 0;
}

/** A cable is named for its device, and Linux gives the names of interfaces fifteen letters. */
const longestDeviceName = 12;

export interface RehearsedNas {
  readonly devices: readonly DeviceInput[];
  /** By the name of the NAS: what stands in the place of the host keys of the lab file. */
  readonly hostKeys: Readonly<Record<string, string>>;
}

/** Writes what the servers of each NAS read; none when no NAS is rehearsed. */
export async function writeNasDevices(plan: RehearsalPlan): Promise<RehearsedNas> {
  const { lab, blueprint, nasRoot } = plan;
  if (nasRoot === undefined || !isNasRehearsed(lab)) return { devices: [], hostKeys: {} };
  const devices: DeviceInput[] = [];
  const hostKeys: Record<string, string> = {};
  for (const [index, nas] of blueprint.nas.entries()) {
    const { exported, written } = sortExports(nas);
    const ssh = await makeSsh(plan, nas);
    const database = await makeDatabase(plan, nas);
    if (ssh !== undefined) hostKeys[nas.name] = ssh.publicKey;
    devices.push(
      await writeNas({
        name: deviceName(blueprint, nas.name, index),
        address: nas.address,
        gateway: blueprint.network.gateway,
        resolver: resolverOf(lab, blueprint),
        domain: blueprint.domain,
        tree: nasRoot,
        directory: join(rehearsalFiles(plan.stateDirectory).nas, nas.name),
        folders: written,
        exports: exported.map((path) => ({ path, clients: blueprint.network.cidr })),
        ...(database && { database }),
        ...(ssh && { ssh: ssh.server }),
      }),
    );
  }
  return { devices, hostKeys };
}

function deviceName({ hosts }: Blueprint, name: string, index: number): string {
  const taken = ['gateway', 'labwright', 'laptop', ...hosts.map((host): string => host.name)];
  return name.length <= longestDeviceName && !taken.includes(name) ? name : `nas-${index + 1}`;
}

/** A person made the exports of the file before, except where Labwright is the one who does. */
function sortExports({ exports, ssh }: NasBlueprint): { exported: readonly string[]; written: readonly string[] } {
  const paths = exports.map(({ path }) => path);
  return ssh === undefined ? { exported: paths, written: [] } : { exported: [], written: paths };
}

async function makeSsh(
  { blueprint, stateDirectory }: RehearsalPlan,
  { ssh }: NasBlueprint,
): Promise<{ server: NonNullable<NasPlan['ssh']>; publicKey: string } | undefined> {
  if (ssh === undefined) return undefined;
  // `serve` finds the same key there.
  const own = await readOrCreateSshIdentity(rehearsalFiles(stateDirectory).sshIdentity);
  const host = generateSshKey();
  const authorizedKeys = [own.publicKey, ...blueprint.ssh.authorizedKeys];
  const { user, port } = ssh;
  return { server: { user, port, authorizedKeys, hostKey: host.privateKey.reveal() }, publicKey: host.publicKey };
}

/** The lab's MariaDB on this NAS, the first when there are several; as its container's environment describes it. */
async function makeDatabase(
  { blueprint, stateDirectory }: RehearsalPlan,
  nas: NasBlueprint,
): Promise<NasPlan['database'] | undefined> {
  const service = blueprint.services.find(({ kind, container }) => kind === 'mariadb' && container?.nas === nas.name);
  if (service === undefined) return undefined;
  const read = async (key: string, otherwise: string): Promise<string> => {
    const value = service.container?.environment[key] ?? otherwise;
    if (typeof value === 'string') return value;
    return (await readRehearsedSecret(stateDirectory, value)).reveal();
  };
  return { port: service.port, databases: [await describeDatabase(service, read)] };
}

async function describeDatabase(
  { name }: OutsideServiceBlueprint,
  read: (key: string, otherwise: string) => Promise<string>,
): Promise<NasDatabase> {
  return {
    name: await read('MARIADB_DATABASE', name),
    user: await read('MARIADB_USER', name),
    password: await read('MARIADB_PASSWORD', name),
  };
}
