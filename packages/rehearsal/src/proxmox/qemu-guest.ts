// Guests that boot: a QEMU process each with firmware, disks, network, serial console and monitor.
//
//   start: taps on the bridge ─► SMBIOS table, variables ─► QEMU daemonizes ─► found by its PID file ─► monitor socket
import { copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from './clock.ts';
import { EmulatorError, messageOf, refusal } from './error.ts';
import { findGuestProcess, parseTapTraffic, readGuestUse, removeFiles, waitForEnd } from './guest-process.ts';
import type { GuestFile, Guests, Images, RunState } from './guest.ts';
import type { Profile } from './permissions.ts';
import { makeQemuArgv, type GuestFiles } from './qemu-argv.ts';
import { parseNetwork, tapName } from './qemu-network-argv.ts';
import { runAgentCommand, runMonitorCommand, type MonitorCommand } from './qmp.ts';
import { encodeSystemInformation } from './smbios.ts';
import { checkToolsRoot, runTool } from './tools-root.ts';
import type { GuestTopology } from './topology.ts';
import type { VmValues } from './vm-config-file.ts';

const run = promisify(execFile);
const monitorTimeoutMs = 5_000;
/** Linux limits the path of a Unix socket to 107 bytes. */
const longestSocketPath = 107;

export interface QemuGuestOptions {
  readonly guests: Extract<GuestTopology, { readonly kind: 'qemu' }>;
  readonly profile: Profile;
  readonly runDirectory: string;
  readonly logDirectory: string;
  readonly clock: Clock;
}

export async function openQemuGuests(options: QemuGuestOptions): Promise<Guests> {
  const { guests, runDirectory, logDirectory, clock } = options;
  const emulatorRoot = guests.emulatorRoot ?? guests.toolsRoot;
  await checkToolsRoot(guests.toolsRoot);
  await mkdir(runDirectory, { recursive: true, mode: 0o700 });
  await mkdir(logDirectory, { recursive: true });
  if (Buffer.byteLength(join(runDirectory, '999999999.serial0')) > longestSocketPath)
    throw new EmulatorError(`${runDirectory} is too long a path for Unix sockets`, 'choose a shorter state directory');

  const inRun = (name: string): string => join(runDirectory, name);
  const pidFile = (vmId: number): string => inRun(`${vmId}.pid`);
  const getPid = (vmId: number): Promise<number | undefined> => findGuestProcess(pidFile(vmId), pidFile(vmId));
  const ask = (vmId: number, command: MonitorCommand): Promise<unknown> =>
    runMonitorCommand(inRun(`${vmId}.qmp`), command, monitorTimeoutMs);
  const command = async (vmId: number, execute: string): Promise<void> => void (await ask(vmId, { execute }));

  function getFiles(vmId: number, disks: Readonly<Record<string, GuestFile>>): GuestFiles {
    return {
      pidFile: pidFile(vmId),
      monitorSocket: `${vmId}.qmp`,
      agentSocket: `${vmId}.qga`,
      serialSocket: (port) => `${vmId}.serial${port}`,
      serialLog: (port) => join(logDirectory, `${vmId}.serial${port}.log`),
      systemInformation: inRun(`${vmId}.smbios`),
      temporaryVariables: inRun(`${vmId}.vars`),
      disks,
    };
  }

  async function start(vmId: number, values: VmValues, disks: Readonly<Record<string, GuestFile>>): Promise<void> {
    const files = getFiles(vmId, disks);
    if (values['smbios1'] !== undefined)
      await writeFile(files.systemInformation, encodeSystemInformation(values['smbios1']), { mode: 0o600 });
    if (values['bios'] === 'ovmf' && disks['efidisk0'] === undefined)
      await copyFile(join(guests.toolsRoot, 'usr/share/OVMF/OVMF_VARS_4M.fd'), files.temporaryVariables);
    await addTaps(vmId, values);
    const argv = makeQemuArgv(vmId, values, files, {
      profile: options.profile,
      accelerator: guests.accelerator,
      translationCacheMiB: guests.translationCacheMiB,
      toolsRoot: guests.toolsRoot,
      emulatorRoot,
    });
    try {
      await runTool(emulatorRoot, '/usr/bin/qemu-system-x86_64', argv, runDirectory);
    } catch (error) {
      await removeTaps(vmId, values);
      const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
      throw refusal(`start failed: QEMU exited: ${output === '' ? messageOf(error) : output}`);
    }
  }

  return {
    start: async ({ vmId, values, disks }) => start(vmId, values, disks),
    getPid,
    getRunState: async (vmId) => {
      const answer = (await ask(vmId, { execute: 'query-status' })) as { readonly status: RunState };
      return answer.status;
    },
    getUse: async (vmId) => {
      const pid = await getPid(vmId);
      if (pid === undefined) return { residentBytes: 0, uptimeSeconds: 0 };
      return { ...(await readGuestUse(pid)), network: parseTapTraffic(await readFile('/proc/net/dev', 'utf8'), vmId) };
    },
    powerDown: (vmId) => command(vmId, 'system_powerdown'),
    quit: (vmId) => command(vmId, 'quit'),
    reset: (vmId) => command(vmId, 'system_reset'),
    pause: (vmId) => command(vmId, 'stop'),
    resume: (vmId) => command(vmId, 'cont'),
    signal: async (vmId, name) => {
      const pid = await getPid(vmId);
      if (pid === undefined) return;
      process.kill(pid, name);
      await waitForEnd(() => getPid(vmId), clock, 10_000);
    },
    resizeDisk: async (vmId, option, size) => {
      await ask(vmId, { execute: 'block_resize', arguments: { device: `drive-${option}`, size } });
    },
    runAgent: (vmId, name) => runAgentCommand(inRun(`${vmId}.qga`), { execute: `guest-${name}` }, 3_000),
    cleanUp: async (vmId, values) => {
      await removeTaps(vmId, values);
      const leftovers = ['pid', 'qmp', 'qga', 'smbios', 'vars', 'serial0', 'serial1', 'serial2', 'serial3'];
      await removeFiles(leftovers.map((name) => inRun(`${vmId}.${name}`)));
    },
    images: makeImages(guests.toolsRoot),
    version: { machine: 'pc-i440fx-7.2', emulator: '7.2.0' },
  };
}

function makeImages(toolsRoot: string): Images {
  const firmware = join(toolsRoot, 'usr/share/OVMF');
  return {
    create: async (file, bytes) => {
      await mkdir(dirname(file.path), { recursive: true });
      if (file.format === 'qcow2') {
        await runTool(toolsRoot, '/usr/bin/qemu-img', ['create', '-q', '-f', 'qcow2', file.path, String(bytes)]);
        return;
      }
      await (await open(file.path, 'wx', 0o600)).close();
      await truncate(file.path, bytes);
    },
    createFirmwareVariables: async (file, kind, hasKeys) => {
      await mkdir(dirname(file.path), { recursive: true });
      const source = join(firmware, `OVMF_VARS${kind === '4m' ? '_4M' : ''}${hasKeys ? '.ms' : ''}.fd`);
      if (file.format === 'qcow2')
        await runTool(toolsRoot, '/usr/bin/qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', source, file.path]);
      else await copyFile(source, file.path);
      return kind === '4m' ? 528 * 1024 : 128 * 1024;
    },
    resize: async (file, bytes) => {
      if (file.format === 'raw') await truncate(file.path, bytes);
      else await runTool(toolsRoot, '/usr/bin/qemu-img', ['resize', '-q', '-f', 'qcow2', file.path, String(bytes)]);
    },
  };
}

function listPluggedNetworks(
  values: VmValues,
): { readonly name: string; readonly bridge: string; readonly isLinked: boolean }[] {
  return Object.keys(values)
    .filter((name) => /^net\d+$/.test(name))
    .flatMap((name) => {
      const network = parseNetwork(values[name]);
      if (network['bridge'] === undefined) return [];
      if (network['tag'] !== undefined) throw refusal(`${name}: VLAN tags are not emulated`);
      return [{ name, bridge: network['bridge'], isLinked: network['link_down'] !== '1' }];
    });
}

async function addTaps(vmId: number, values: VmValues): Promise<void> {
  await removeTaps(vmId, values);
  for (const { name, bridge, isLinked } of listPluggedNetworks(values)) {
    const tap = tapName(vmId, name);
    try {
      await run('ip', ['link', 'show', bridge]);
    } catch {
      throw refusal(`bridge '${bridge}' does not exist`);
    }
    await run('ip', ['tuntap', 'add', 'dev', tap, 'mode', 'tap']);
    if (isLinked) await run('ip', ['link', 'set', tap, 'master', bridge]);
    await run('ip', ['link', 'set', tap, 'up']);
  }
}

async function removeTaps(vmId: number, values: VmValues): Promise<void> {
  const { stdout } = await run('ip', ['-o', 'link', 'show', 'type', 'tun']);
  for (const { name } of listPluggedNetworks(values)) {
    const tap = tapName(vmId, name);
    if (new RegExp(` ${tap}[:@]`).test(stdout)) await run('ip', ['link', 'del', tap]);
  }
}
