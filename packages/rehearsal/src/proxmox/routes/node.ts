// Calls about one node: its state and its network.
import { formatNode } from './cluster.ts';
import { versions } from './version.ts';
import { nowSeconds } from '../clock.ts';
import { makeHostReport } from '../host-report.ts';
import { anyUser, node, type Call, type Route } from '../route.ts';

const mebibyte = 1024 * 1024;
const interfaceTypes =
  'bridge bond eth alias vlan fabric OVSBridge OVSBond OVSPort OVSIntPort vnet any_bridge any_local_bridge include_sdn'.split(
    ' ',
  );

async function getStatus({ context }: Call): Promise<unknown> {
  const { host, topology } = context;
  const { version, repoid } = versions[topology.profile];
  const report = await makeHostReport(context);
  const kernel = topology.profile === '9.2' ? '7.0.2-2-pve' : '6.8.12-15-pve';
  const total = host.memoryMiB * mebibyte;
  return {
    uptime: nowSeconds(context.clock) - context.startedAtSeconds,
    pveversion: `pve-manager/${version}/${repoid}`,
    kversion: `Linux ${kernel}`,
    'current-kernel': { sysname: 'Linux', release: kernel, version: '#1 SMP PREEMPT_DYNAMIC PMX', machine: 'x86_64' },
    'boot-info': { mode: 'efi', secureboot: 0 },
    cpu: 0.01,
    wait: 0,
    idle: 0,
    loadavg: ['0.05', '0.03', '0.01'],
    cpuinfo: {
      cpus: host.cores,
      cores: host.cores,
      sockets: 1,
      model: 'Emulated processor',
      mhz: '3000.000',
      hvm: '1',
      user_hz: 100,
      flags: 'vmx',
    },
    memory: {
      total,
      used: report.memoryBytes,
      free: total - report.memoryBytes,
      available: total - report.memoryBytes,
    },
    swap: { total: 0, used: 0, free: 0 },
    ksm: { shared: 0 },
    rootfs: { total: 65536 * mebibyte, used: 4096 * mebibyte, free: 61440 * mebibyte, avail: 61440 * mebibyte },
  };
}

export const nodeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes',
    parameters: {},
    permission: anyUser,
    returns: 'array',
    answer: async ({ context, caller }) => {
      const rows: unknown[] = [];
      for (const { name } of context.topology.hosts) {
        const row = await formatNode(context, name, await context.broadcast.readReport(name));
        const isOwn = name === context.host.name;
        const canAudit = caller.privileges.has(`/nodes/${name}`, 'Sys.Audit');
        const visible = canAudit ? row : { id: row['id'], type: 'node', node: name, status: row['status'] };
        rows.push({ ...visible, ...(isOwn ? { ssl_fingerprint: context.fingerprint } : {}) });
      }
      return rows;
    },
  },
  {
    method: 'GET',
    path: '/nodes/{node}/status',
    parameters: { node },
    permission: { kind: 'privilege', path: '/nodes/{node}', privileges: ['Sys.Audit'] },
    returns: 'object',
    isProxied: true,
    answer: getStatus,
  },
  {
    method: 'GET',
    path: '/nodes/{node}/network',
    parameters: {
      node,
      type: {
        type: 'string',
        optional: true,
        enum: interfaceTypes,
      },
    },
    permission: anyUser,
    returns: 'array',
    isProxied: true,
    answer: async ({ context, caller, parameters }) => {
      const wanted = parameters['type'];
      if (wanted !== undefined && !['bridge', 'any_bridge', 'any_local_bridge', 'include_sdn'].includes(wanted))
        return [];
      return context.host.bridges
        .filter(
          (bridge) =>
            caller.privileges.has(`/sdn/zones/localnetwork/${bridge}`, 'SDN.Use') ||
            caller.privileges.has(`/nodes/${context.host.name}`, 'Sys.Audit'),
        )
        .map((iface) => ({
          iface,
          type: 'bridge',
          method: 'static',
          active: 1,
          autostart: 1,
          bridge_ports: 'eno1',
          families: ['inet'],
          address: context.host.address,
        }));
    },
  },
];
