// Connections to the Proxmox and the router of a lab, for checks; on hardware or in a rehearsal.
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { vmId } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { silentLog } from '@labwright/core/ports/log';
import { randomHex } from '@labwright/core/ports/random';
import type { Secret } from '@labwright/core/ports/secret';
import type { PfsenseSubject } from '@labwright/drivers/conformance/pfsense-checks';
import type { ProxmoxSubject } from '@labwright/drivers/conformance/proxmox-checks';
import { connectPfsense } from '@labwright/drivers/pfsense/connection';
import type { RouterPins } from '@labwright/drivers/pfsense/tls-pin';
import { guestsCall, hostsCall, storagesCall } from '@labwright/drivers/proxmox/calls/cluster';
import { connectProxmox, type ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import type { Expectation, TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import type { Program } from '../program.ts';

export interface LabAccess {
  readonly labFile: LabFile;
  readonly credentials: Credentials;
  readonly tls: TlsPolicy;
  /** Undefined for a lab that names no password of its router. */
  readonly routerPassword: Secret | undefined;
  /** Asked before the password is sent. */
  readonly routerPins: RouterPins;
  readonly expect: Expectation;
}

export interface VmChoice {
  /** A number that no VM has, for the VM that the checks make. */
  readonly vmId: string | undefined;
  readonly storage: string | undefined;
}

/** Throws LW0002 for a number that is taken or none, LW2001 and LW2002. */
export async function openProxmox(program: Program, access: LabAccess, choice: VmChoice): Promise<ProxmoxSubject> {
  const blueprint = resolveBlueprint(access.labFile.lab, { rehearsal: access.expect === 'rehearsal' });
  const connection = connectProxmox({
    hosts: blueprint.hosts.map(({ name, address }) => ({ name, address, port: blueprint.proxmox.port })),
    credentials: access.credentials,
    tls: access.tls,
    expect: access.expect,
    clock: program.clock,
    log: silentLog,
  });
  try {
    const { node, storage, guests } = await findSubjects(connection, choice.storage, program.interrupt);
    const own = choice.vmId === undefined ? undefined : readVmId(choice.vmId);
    if (own !== undefined && guests.some((guest) => guest.vmid === own)) {
      throw new LabwrightError('LW0002', {
        what: `there is a VM ${own} already`,
        fix: ['give a number that none has'],
      });
    }
    const guest = guests.find((row) => row.type === 'qemu' && row.node === node)?.vmid;
    return {
      connection,
      node,
      storage,
      ...(guest === undefined ? {} : { guest }),
      ...(own === undefined
        ? {}
        : {
            own: { vmId: own, lab: blueprint.lab, bridge: blueprint.network.bridge, uuid: randomUuid(program.random) },
          }),
      found: {},
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Version 8: a custom UUID (RFC 9562 §5.8). */
function randomUuid(random: Program['random']): string {
  const hex = randomHex(random, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}

function readVmId(text: string): ReturnType<typeof vmId> {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 100 && number <= 999_999_998) return vmId(number);
  throw new LabwrightError('LW0002', {
    what: `"${text}" is no number of a VM`,
    fix: ['labwright conformance --vm-id 990'],
  });
}

/** The first host that is up, and a storage for disks there. */
async function findSubjects(connection: ProxmoxConnection, named: string | undefined, signal: AbortSignal) {
  const [hosts, guests] = await Promise.all([
    connection.request(hostsCall(), { signal }),
    connection.request(guestsCall(), { signal }),
  ]);
  const node = hosts.find(({ status }) => status === 'online')?.node;
  if (node === undefined) {
    throw new LabwrightError('LW2001', { what: 'no Proxmox host is up', fix: ['labwright status'] });
  }
  const storages = await connection.request(storagesCall(node), { signal });
  const forDisks = storages.filter(({ content, active }) => content.split(',').includes('images') && active !== false);
  const storage = named === undefined ? forDisks[0] : forDisks.find((one) => one.storage === named);
  if (storage === undefined) {
    const there = forDisks.map((one) => one.storage).join(', ');
    throw new LabwrightError('LW0002', {
      what: `${named ?? 'a storage'} for disks is not there on ${node}`,
      fix: [there === '' ? 'give one content "Disk image" in Proxmox' : `labwright conformance --storage ${there}`],
    });
  }
  return { node, guests, storage: storage.storage };
}

/** Undefined for a lab without a router, or without a password for it. */
export function openPfsense({ labFile, routerPassword, routerPins, expect }: LabAccess): PfsenseSubject | undefined {
  const { lab } = labFile;
  if (lab.router === undefined || routerPassword === undefined) return undefined;
  const connection = connectPfsense({
    router: { name: lab.router.name, address: lab.router.address, port: lab.router.port },
    user: lab.router.user,
    password: routerPassword,
    pins: routerPins,
    expect,
    log: silentLog,
  });
  return { connection, lab: resolveBlueprint(lab, { rehearsal: expect === 'rehearsal' }).lab };
}
