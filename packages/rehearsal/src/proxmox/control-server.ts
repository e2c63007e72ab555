// The emulator's own door beside the emulated API: faults and the truth about guests, over a Unix socket only its owner may open.
//
//   GET /status · GET /faults · POST /faults {kind: …} · DELETE /faults[/ID]
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ApiError, messageOf, refusal } from './error.ts';
import { faultSchema, type Fault } from './fault.ts';
import type { NodeContext } from './node-context.ts';
import { listVolumeIds } from './vm-disk.ts';
import { getVmStatus } from './vm-status.ts';

export interface HostSwitch {
  /** Closes the port and stops the heartbeat. */
  down(): Promise<void>;
  up(): Promise<void>;
  readonly isUp: () => boolean;
}

export interface ControlServer {
  close(): Promise<void>;
}

export async function openControlServer(
  socket: string,
  context: NodeContext,
  host: HostSwitch,
): Promise<ControlServer> {
  await mkdir(dirname(socket), { recursive: true });
  await rm(socket, { force: true });
  const server = createServer((request, response) => {
    answer(request, context, host).then(
      (value) => reply(response, 200, value),
      (error: unknown) => reply(response, error instanceof ApiError ? error.status : 500, { error: messageOf(error) }),
    );
  });
  server.listen(socket);
  await once(server, 'listening');
  await chmod(socket, 0o600);
  return {
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await rm(socket, { force: true });
    },
  };
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}

async function answer(request: IncomingMessage, context: NodeContext, host: HostSwitch): Promise<unknown> {
  const { method, url = '/' } = request;
  const id = /^\/faults\/(\d+)$/.exec(url)?.[1];
  if (method === 'GET' && url === '/status') return readStatus(context, host);
  if (method === 'GET' && url === '/faults') return context.faults.list();
  if (method === 'DELETE' && (url === '/faults' || id !== undefined)) {
    context.faults.remove(id === undefined ? undefined : Number(id));
    return { removed: true };
  }
  if (method === 'POST' && url === '/faults') {
    const result = faultSchema.safeParse(JSON.parse(await readText(request)));
    if (!result.success) throw new ApiError(400, z.prettifyError(result.error));
    return applyFault(context, host, result.data);
  }
  throw new ApiError(404, `no ${method} ${url} here`);
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function readStatus(context: NodeContext, host: HostSwitch): Promise<unknown> {
  const vms: unknown[] = [];
  for (const [vmId, node] of await context.files.listVms()) {
    if (node !== context.host.name) continue;
    try {
      const { config } = await context.files.readVm(node, vmId);
      vms.push(await getVmStatus(context, vmId, config));
    } catch (error) {
      // Removed between the list and the look.
      if ((await context.files.listVms()).has(vmId)) throw error;
    }
  }
  return { host: context.host.name, isUp: host.isUp(), vms };
}

/** Makes the fault happen, or stand; gives the ID by which a standing one is ended. */
async function applyFault(context: NodeContext, host: HostSwitch, fault: Fault): Promise<{ readonly id?: number }> {
  const node = context.host.name;
  switch (fault.kind) {
    case 'lock-vm':
    case 'unlock-vm': {
      const { config } = await context.files.readVm(node, fault.vmId);
      if (fault.kind === 'lock-vm') config.values['lock'] = fault.lock;
      else delete config.values['lock'];
      await context.files.writeVm(node, fault.vmId, config);
      return {};
    }
    case 'hold-lock':
      return { id: context.faults.add(fault, await context.locks.take(fault.path, 10)) };
    case 'power-cut':
      if ((await context.guests.getPid(fault.vmId)) === undefined) throw refusal(`VM ${fault.vmId} not running`);
      await context.guests.signal(fault.vmId, 'SIGKILL');
      return {};
    case 'lose-disk': {
      const { config } = await context.files.readVm(node, fault.vmId);
      await context.guests.signal(fault.vmId, 'SIGKILL');
      for (const volumeId of listVolumeIds(config.values)) await context.volumes.free(volumeId);
      return {};
    }
    case 'host-down':
      await host.down();
      if (fault.guests === 'power-cut') await killGuests(context);
      return {};
    case 'host-up':
      await host.up();
      return {};
    case 'revoke-token':
      await context.access.changeUsers((users) => delete users.tokens[fault.token]);
      await context.access.forgetSecret(fault.token);
      return {};
    case 'slow-tasks':
    case 'task-warning':
    case 'task-failure':
    case 'answer':
    case 'slow-calls':
    case 'ignore-powerdown':
      return { id: context.faults.add(fault) };
  }
}

/** Every guest of this host loses its power. */
export async function killGuests(context: NodeContext): Promise<void> {
  for (const [vmId, node] of await context.files.listVms())
    if (node === context.host.name) await context.guests.signal(vmId, 'SIGKILL');
}
