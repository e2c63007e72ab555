// Changes that wait: what a running guest cannot follow stays in [PENDING] until the guest stops or starts again.
import type { NodeContext } from './node-context.ts';
import { makeVmConfig, type VmConfig, type VmValues } from './vm-config-file.ts';
import { getVmOption, isDriveName } from './vm-options.ts';
import { isCdrom, parseDrive } from './vm-disk.ts';

const hasPending = (config: VmConfig): boolean =>
  Object.keys(config.pending).length > 0 || Object.keys(config.pendingDelete).length > 0;

/** Applies everything pending and writes the file; gives the configuration as it is then. */
export async function applyPending(context: NodeContext, vmId: number, config: VmConfig): Promise<VmConfig> {
  if (!hasPending(config)) return config;
  const applied = await apply(context, config, () => true);
  await context.files.writeVm(context.host.name, vmId, applied);
  return applied;
}

/** Applies what a running guest follows at once; the rest stays pending. */
export async function applyLive(context: NodeContext, vmId: number, config: VmConfig): Promise<VmConfig> {
  const applied = await apply(context, config, (name) => getVmOption(name)?.isLive === true);
  await context.files.writeVm(context.host.name, vmId, applied);
  return applied;
}

async function apply(context: NodeContext, config: VmConfig, isDue: (name: string) => boolean): Promise<VmConfig> {
  const values: VmValues = { ...config.values };
  const next = makeVmConfig(values);
  Object.assign(next.snapshots, config.snapshots);
  for (const [name, how] of Object.entries(config.pendingDelete)) {
    if (!isDue(name)) {
      next.pendingDelete[name] = how;
      continue;
    }
    const value = values[name];
    delete values[name];
    if (value !== undefined && isDriveName(name)) await detach(context, values, name, value, how.force);
  }
  for (const [name, value] of Object.entries(config.pending)) {
    if (!isDue(name)) {
      next.pending[name] = value;
      continue;
    }
    const old = values[name];
    values[name] = value;
    if (old !== undefined && isDriveName(name) && getVolume(name, old) !== getVolume(name, value))
      await detach(context, values, name, old, false);
  }
  return next;
}

const getVolume = (name: string, value: string): string => parseDrive(name, value)['file'] ?? '';

/** A disk taken off keeps its image under unusedN, unless it was to go. */
async function detach(
  context: NodeContext,
  values: VmValues,
  name: string,
  value: string,
  isFreed: boolean,
): Promise<void> {
  const drive = parseDrive(name, value);
  const volumeId = drive['file'] ?? '';
  if (isCdrom(drive) || !volumeId.includes(':')) return;
  if (isFreed) {
    await context.volumes.free(volumeId);
    return;
  }
  let index = 0;
  while (values[`unused${index}`] !== undefined) index += 1;
  values[`unused${index}`] = volumeId;
}
