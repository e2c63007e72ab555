// What the boot servers of a lab are started with: who is who, what they boot, and what becomes of a machine that phones home.
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { ProxmoxConnection } from '@labwright/drivers/proxmox/connection';
import { fetchOwnVm } from '@labwright/drivers/proxmox/find-vm';
import type { SshIdentity } from '@labwright/drivers/ssh/identity';
import { ensureBootLoaders } from '@labwright/images/boot-loaders';
import type { BuildContext } from '@labwright/images/debian-root';
import type { PhoneHomeAnswer } from '@labwright/netboot/boot-network';
import type { NetbootOptions } from '@labwright/netboot/netboot';
import { renderMachineIgnition, type BootKnowledge } from './boot-knowledge.ts';
import type { EventBus } from './event-bus.ts';
import { makeKnownHostsWriter } from './known-hosts.ts';
import type { LabImages } from './lab-images.ts';
import { judgePhoneHome, parsePhoneHome } from './phone-home.ts';
import type { ServeOptions } from './serve-options.ts';
import type { Store } from './store/store.ts';

interface PhoneHomeWorld {
  readonly blueprint: Blueprint;
  readonly connection: ProxmoxConnection;
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export async function openNetbootOptions(
  options: ServeOptions,
  world: PhoneHomeWorld,
  parts: {
    readonly bus: EventBus;
    readonly knowledge: BootKnowledge;
    readonly identity: SshIdentity;
    readonly images: LabImages;
  },
): Promise<NetbootOptions> {
  const { blueprint, clock, random, log } = options;
  const { netboot, network, domain } = blueprint;
  const keepKnownHosts = makeKnownHostsWriter(blueprint, world.store, options.stateDirectory);
  await keepKnownHosts();
  parts.images.start();
  const { images, artifacts } = parts.images;
  return {
    network: {
      address: netboot.address,
      cidr: network.cidr,
      gateway: network.gateway,
      resolvers: network.resolvers,
      domain,
      httpPort: netboot.httpPort,
      mode: netboot.mode,
      ...(netboot.dynamic === undefined ? {} : { dynamic: netboot.dynamic }),
    },
    directory: parts.knowledge,
    images,
    artifacts,
    loaders: await ensureBootLoaders(imageContext(options, world.signal)),
    renderIgnition: (machine, accept) => renderMachineIgnition(blueprint, parts.identity.publicKey, machine, accept),
    phoneHome: async (body, signature) => {
      const answer = await answerPhoneHome(body, signature, world);
      if (answer.status === 204) await keepKnownHosts();
      return answer;
    },
    clock,
    random,
    log,
    emit: (event) => parts.bus.emit(event),
  };
}

/** Images are told of in the log. */
export function imageContext({ cacheDirectory, log }: ServeOptions, signal: AbortSignal): BuildContext {
  return { cacheDir: cacheDirectory, signal, onProgress: (message) => log.info('image', { message }) };
}

/** The machine's key is read from its configuration each time: it is the hypervisor that knows it, not our store. */
async function answerPhoneHome(body: Uint8Array, signature: string, world: PhoneHomeWorld): Promise<PhoneHomeAnswer> {
  const { blueprint, connection, store, clock, signal } = world;
  const call = parsePhoneHome(body, blueprint);
  if (call.kind === 'refused') return call;
  const vm = await fetchOwnVm(connection, { vmId: call.machine.vmId, lab: blueprint.lab }, signal);
  const judgement = judgePhoneHome(call, body, signature, vm?.config.phoneHomeKey, clock.now());
  if (judgement.kind === 'refused') return judgement;
  const { machine, report } = judgement;
  // It repeats itself every few minutes; only the first call of a boot is news.
  const isNews = !store.currentReports().some((each) => each.name === machine.name && each.bootId === report.bootId);
  store.saveReport(report);
  return isNews ? { status: 204, machine: machine.name } : { status: 204 };
}
