// One emulated Proxmox host put together: cluster files, users, guests, tasks, the API on its port and the control socket.
// Guests are not its children: they go on when it is killed, and it takes them up again when it starts anew.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAccess } from './access.ts';
import { makeApiServer } from './api-server.ts';
import { makeBroadcast } from './broadcast.ts';
import { makeClock, nowSeconds } from './clock.ts';
import { killGuests, openControlServer, type HostSwitch } from './control-server.ts';
import { makeFaults } from './fault.ts';
import { makeHostReport } from './host-report.ts';
import { makeHostLocks } from './lock.ts';
import type { Guests } from './guest.ts';
import type { NodeContext } from './node-context.ts';
import { openClusterFiles } from './pmxcfs.ts';
import { openQemuGuests } from './qemu-guest.ts';
import { formatTaskRow, getRecentTasks } from './routes/task.ts';
import { openStandInGuests } from './stand-in-guest.ts';
import { openTasks } from './task.ts';
import { getFingerprint } from './tls.ts';
import { getHost, type Topology } from './topology.ts';
import { makeImageFolders, makeVolumes } from './volume.ts';
import type { Clock } from './clock.ts';

export interface EmulatedHost {
  readonly context: NodeContext;
  readonly controlSocket: string;
  /** Ends the host; its guests are ended too unless they are to be kept for the next start. */
  close(options?: { readonly guests?: 'end' | 'keep' }): Promise<void>;
}

export interface StartOptions {
  readonly onFailure?: (text: string) => void;
}

/** Resolves when the API answers. */
export async function startEmulatedHost(
  topology: Topology,
  hostName: string,
  options: StartOptions = {},
): Promise<EmulatedHost> {
  const host = getHost(topology, hostName);
  const clock = makeClock(topology.timeScale);
  const onFailure = options.onFailure ?? (() => {});
  const directory = join(topology.stateDirectory, 'hosts', host.name);
  const [certificate, key, authority] = await Promise.all(
    [host.tls.certificateFile, host.tls.keyFile, topology.certificateAuthorityFile].map((file) =>
      readFile(file, 'utf8'),
    ),
  );
  const files = await openClusterFiles(
    topology.stateDirectory,
    topology.hosts.map(({ name }) => name),
    clock,
  );
  const locks = makeHostLocks(clock);
  const faults = makeFaults(clock);
  const broadcast = makeBroadcast(topology.stateDirectory, files, clock);
  const images = join(directory, 'images');
  await makeImageFolders(images, topology.storages);
  const tasks = await openTasks({
    node: host.name,
    directory: join(directory, 'tasks'),
    clock,
    beforeWork: faults.strikeTask,
    onChange: async () => broadcast.writeTasks(host.name, getRecentTasks(await tasks.list()).map(formatTaskRow)),
  });
  const context: NodeContext = {
    topology,
    host,
    clock,
    files,
    locks,
    faults,
    broadcast,
    tasks,
    access: await openAccess(topology, files, clock),
    guests: await openGuests(topology, directory, clock),
    volumes: makeVolumes(images, topology.storages, locks),
    fingerprint: await getFingerprint(certificate ?? ''),
    startedAtSeconds: nowSeconds(clock),
  };

  const server = makeApiServer({
    context,
    certificate: certificate ?? '',
    key: key ?? '',
    authority: authority ?? '',
    onFailure,
  });
  let heart: { readonly stop: AbortController; readonly beating: Promise<void> } | undefined;
  const hostSwitch: HostSwitch = {
    isUp: () => heart !== undefined,
    up: async () => {
      if (heart !== undefined) return;
      await server.listen();
      const stop = new AbortController();
      const beating = broadcast
        .run(host.name, () => makeHostReport(context), stop.signal)
        .catch((error: unknown) => onFailure(String(error)));
      heart = { stop, beating };
    },
    down: async () => {
      const stopping = heart;
      heart = undefined;
      stopping?.stop.abort();
      await Promise.all([stopping?.beating, server.close()]);
    },
  };
  await hostSwitch.up();
  const controlSocket = join(directory, 'control.sock');
  const control = await openControlServer(controlSocket, context, hostSwitch);
  return {
    context,
    controlSocket,
    close: async ({ guests = 'end' } = {}) => {
      await control.close();
      await hostSwitch.down();
      await tasks.close();
      faults.remove();
      if (guests === 'end') await endGuests(context);
    },
  };
}

function openGuests(topology: Topology, directory: string, clock: Clock): Promise<Guests> {
  const runDirectory = join(directory, 'run');
  if (topology.guests.kind === 'stand-in') return openStandInGuests(runDirectory, clock);
  const logDirectory = join(directory, 'log');
  return openQemuGuests({ guests: topology.guests, profile: topology.profile, runDirectory, logDirectory, clock });
}

async function endGuests(context: NodeContext): Promise<void> {
  for (const [vmId, node] of await context.files.listVms()) {
    if (node !== context.host.name || (await context.guests.getPid(vmId)) === undefined) continue;
    await context.guests.signal(vmId, 'SIGTERM');
    const { config } = await context.files.readVm(node, vmId);
    await context.guests.cleanUp(vmId, config.values);
  }
  await killGuests(context);
}
