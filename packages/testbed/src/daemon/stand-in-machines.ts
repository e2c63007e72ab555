// What an installed Debian does, played for guests that are sleeping processes: it installs itself on its disk once, phones
// home under the key in its firmware tables, and answers SSH with its host key.
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import { generateSshKey, parseSshIdentity, type SshIdentity } from '@labwright/drivers/ssh/identity';
import { sendControl, type ClusterFixture } from '@labwright/rehearsal/proxmox/cluster-fixture';
import ssh2 from 'ssh2';

export interface StandInMachines {
  /** These do not phone home, as machines that hang in their boot. */
  readonly silent: Set<string>;
  /** Generation on the disk of the machine's VM; undefined while nothing is installed. */
  readInstalled(vmId: number): Promise<number | undefined>;
  close(): Promise<void>;
}

interface StandInOptions {
  readonly blueprint: Blueprint;
  readonly cluster: ClusterFixture;
  /** Where Labwright keeps the key that its machines let in. */
  readonly stateDirectory: string;
  /** From power on to the call. */
  readonly bootMs: number;
}

const lookMs = 30;
const callAgainMs = 100;

/** What the installer writes to the disk; an empty disk holds none. */
interface Installed {
  readonly generation: number;
  readonly privateKey: string;
}

export function playMachines(options: StandInOptions): StandInMachines {
  const { blueprint, cluster } = options;
  const silent = new Set<string>();
  const stopping = new AbortController();
  const running = new Map<string, { readonly power: AbortController; readonly life: Promise<void> }>();

  const look = async (): Promise<void> => {
    const guests = new Map<string, { readonly host: string; readonly machine: MachineBlueprint }>();
    for (const [host, { controlSocket }] of cluster.hosts) {
      const vms = await fetchGuests(controlSocket);
      if (vms === undefined) return;
      for (const { vmid, pid } of vms) {
        const machine = blueprint.machines.find((each) => each.vmId === vmid);
        if (pid !== undefined && machine !== undefined) guests.set(`${vmid}/${pid}`, { host, machine });
      }
    }
    for (const [guest, { power, life }] of running) {
      if (guests.has(guest)) continue;
      power.abort();
      await life;
      running.delete(guest);
    }
    for (const [guest, { host, machine }] of guests) {
      if (running.has(guest)) continue;
      const power = new AbortController();
      running.set(guest, { power, life: live(host, machine, power.signal) });
    }
  };

  const live = async (host: string, machine: MachineBlueprint, power: AbortSignal): Promise<void> => {
    try {
      await sleep(options.bootMs, undefined, { signal: power });
      const installed = await boot(cluster, host, machine.vmId);
      const ssh = await listenForSsh(machine, installed, options.stateDirectory);
      try {
        await phoneHome(host, machine, installed, power);
        await untilAborted(power);
      } finally {
        await ssh.close();
      }
    } catch (error) {
      if (!power.aborted && !isRemoved(error)) throw error;
    }
  };

  const phoneHome = async (
    host: string,
    machine: MachineBlueprint,
    installed: Installed,
    power: AbortSignal,
  ): Promise<void> => {
    const { values } = await readVm(cluster, host, machine.vmId);
    const key = Buffer.from(/(?:^|,)serial=([^,]+)/.exec(values['smbios1'] ?? '')?.[1] ?? '', 'base64').toString();
    const sshHostKey = identityOf(installed).publicKey.split(' ').slice(0, 2).join(' ');
    const { lab, netboot } = blueprint;
    const body = JSON.stringify({
      lab,
      machine: machine.name,
      generation: installed.generation,
      bootId: randomUUID(),
      sshHostKey,
    });
    const signature = createHmac('sha256', Buffer.from(key, 'hex')).update(body).digest('hex');
    const url = `http://${netboot.address}:${netboot.httpPort}/phone-home`;
    while (silent.has(machine.name) || (await post(url, body, signature)) !== 204) {
      await sleep(callAgainMs, undefined, { signal: power });
    }
  };

  const playing = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      await sleep(lookMs);
    }
    for (const { power, life } of running.values()) {
      power.abort();
      await life;
    }
  })();
  // Told to whoever closes; until then nobody awaits it.
  playing.catch(() => undefined);

  return {
    silent,
    readInstalled: async (vmId) => {
      for (const [host, { context }] of cluster.hosts)
        if ((await context.files.listVms()).get(vmId) === host)
          return (await readDisk(await diskOf(cluster, host, vmId)))?.generation;
      return undefined;
    },
    close: async () => {
      stopping.abort();
      await playing;
    },
  };
}

/** Undefined when a VM was removed in the middle of the look. */
async function fetchGuests(
  controlSocket: string,
): Promise<readonly { readonly vmid: number; readonly pid?: number }[] | undefined> {
  try {
    const { vms } = (await sendControl(controlSocket, 'GET', '/status')) as {
      readonly vms: readonly { readonly vmid: number; readonly pid?: number }[];
    };
    return vms;
  } catch (error) {
    if (isRemoved(error)) return undefined;
    throw error;
  }
}

const isRemoved = (error: unknown): boolean =>
  error instanceof Error && /Configuration file '.*' does not exist/.test(error.message);

/** The disk decides: an installed one is booted; the network is asked when it is empty or comes first, for what is wanted. */
async function boot(cluster: ClusterFixture, host: string, vmId: number): Promise<Installed> {
  const { values } = await readVm(cluster, host, vmId);
  const disk = await diskOf(cluster, host, vmId);
  const found = await readDisk(disk);
  const wanted = Number(/^generation=(\d+)$/m.exec(values['description'] ?? '')?.[1]);
  const asksNetwork = (values['boot'] ?? '').startsWith('order=net');
  if (found !== undefined && (!asksNetwork || found.generation >= wanted)) return found;
  const installed = { generation: wanted, privateKey: generateSshKey().privateKey.reveal() };
  const file = await open(disk, 'r+');
  await file.write(`${JSON.stringify(installed)}\n`, 0);
  await file.close();
  return installed;
}

async function readDisk(path: string): Promise<Installed | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4096), position: 0 });
    const [line = ''] = buffer.subarray(0, bytesRead).toString('utf8').split('\n');
    return line.startsWith('{') ? (JSON.parse(line) as Installed) : undefined;
  } finally {
    await file.close();
  }
}

async function diskOf(cluster: ClusterFixture, host: string, vmId: number): Promise<string> {
  const { values } = await readVm(cluster, host, vmId);
  const volumeId = (values['scsi0'] ?? '').split(',')[0] ?? '';
  return getContext(cluster, host).volumes.getFile(volumeId).path;
}

async function readVm(cluster: ClusterFixture, host: string, vmId: number) {
  return (await getContext(cluster, host).files.readVm(host, vmId)).config;
}

function getContext(cluster: ClusterFixture, host: string) {
  const found = cluster.hosts.get(host);
  if (found === undefined) throw new RangeError(`no host ${host}`);
  return found.context;
}

function identityOf({ privateKey }: Installed): SshIdentity {
  const identity = parseSshIdentity(privateKey);
  if (identity === undefined) throw new Error('the key on the disk is none');
  return identity;
}

async function listenForSsh(
  { address }: MachineBlueprint,
  installed: Installed,
  stateDirectory: string,
): Promise<{ close(): Promise<void> }> {
  const known = parseSshIdentity(await readFile(join(stateDirectory, 'ssh_ed25519'), 'utf8'));
  const letIn = ssh2.utils.parseKey(known?.publicKey ?? '');
  if (letIn instanceof Error) throw letIn;
  const connections = new Set<{ end(): unknown }>();
  const server = new ssh2.Server({ hostKeys: [installed.privateKey] }, (connection) => {
    connections.add(connection);
    // One that was killed in the middle of its login.
    connection.on('error', () => undefined);
    connection.on('authentication', (login) => {
      if (login.method === 'publickey' && login.key.data.equals(letIn.getPublicSSH())) login.accept();
      else login.reject(['publickey']);
    });
    connection.on('session', (acceptSession) => {
      acceptSession().on('exec', (acceptExec) => {
        const channel = acceptExec();
        channel.exit(0);
        channel.end();
      });
    });
  });
  server.listen(22, address);
  await once(server, 'listening');
  return {
    close: async () => {
      for (const connection of connections) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The status; 0 when nobody answers. */
async function post(url: string, body: string, signature: string): Promise<number> {
  return await new Promise((resolve) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json', 'labwright-signature': signature },
        timeout: 10_000,
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(0));
    outgoing.end(body);
  });
}
