// The guest agent: what a guest says of itself, and the three refusals in the order in which Proxmox finds them.
import { refusal } from '../error.ts';
import type { Profile } from '../permissions.ts';
import { anyUser, getVmId, node, vmid, type Call, type Method, type Route } from '../route.ts';
import { isRunning } from '../vm-power.ts';

const agentPrivileges: Readonly<Record<Profile, readonly string[]>> = {
  '8.4': ['VM.Monitor'],
  '9.2': ['VM.GuestAgent.Audit', 'VM.GuestAgent.Unrestricted'],
};

async function askAgent({ context, caller, parameters }: Call, command: string): Promise<unknown> {
  const vmId = getVmId(parameters);
  caller.privileges.requireAny(`/vms/${vmId}`, agentPrivileges[context.topology.profile]);
  const { config } = await context.files.readVm(context.host.name, vmId);
  if (config.values['agent'] === undefined) throw refusal('No QEMU guest agent configured');
  if (!(await isRunning(context, vmId))) throw refusal(`VM ${vmId} is not running`);
  try {
    await context.guests.runAgent(vmId, 'ping');
  } catch {
    throw refusal('QEMU guest agent is not running');
  }
  return command === 'ping' ? {} : { result: await context.guests.runAgent(vmId, command) };
}

function agentRoute(method: Method, name: string): Route {
  return {
    method,
    path: `/nodes/{node}/qemu/{vmid}/agent/${name}`,
    parameters: { node, vmid },
    // The privilege has another name in each line, so the code checks it.
    permission: anyUser,
    returns: 'object',
    isProxied: true,
    isProtected: true,
    answer: (call) => askAgent(call, name),
  };
}

export const agentRoutes: readonly Route[] = [
  agentRoute('POST', 'ping'),
  ...[
    'info',
    'get-fsinfo',
    'get-host-name',
    'get-osinfo',
    'get-time',
    'get-timezone',
    'get-users',
    'get-vcpus',
    'network-get-interfaces',
  ].map((name) => agentRoute('GET', name)),
];
