// Starts a rehearsal: builds what is missing in the cache, writes its state, starts its keeper and waits until it serves.
import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { ensureFolder } from '@labwright/core/ports/folder';
import { ipv4FromNumber, ipv4ToNumber, cidrRange, rangeContains, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { devicesOf } from '@labwright/core/lab/checks/check-addresses';
import type { Lab } from '@labwright/core/lab/lab-schema';
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureLabImages } from '@labwright/daemon/boot-images';
import { ensureWebImage } from '@labwright/images/kubernetes/web-image';
import { ensureBootLoaders } from '@labwright/images/boot-loaders';
import { ensureDebianRoot } from '@labwright/images/debian-root';
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';
import type { KeeperStatus } from '@labwright/rehearsal/keeper/keeper';
import { endRehearsal, startKeeper } from '@labwright/rehearsal/keeper/namespaces';
import { keeperSocket } from '@labwright/rehearsal/lab/topology';
import { openLoopbackSocket, type LoopbackSocket } from '@labwright/rehearsal/laptop/loopback';
import { routerPackages } from '@labwright/rehearsal/pfsense/router-packages';
import type { Program } from '../program.ts';
import { writeRehearsal, type RehearsalPlan } from './lab-in-rehearsal.ts';
import { isNasRehearsed } from './nas-in-rehearsal.ts';
import { writeRecord } from './record.ts';
import type { RehearsalShape } from './rehearsed-lab.ts';
import { rehearsedRouter } from './router-in-rehearsal.ts';
import { emulator, nasPackages, toolPackages } from './tool-packages.ts';

export interface RehearsalStart {
  /** As `shapeLab` makes it of the lab file's. */
  readonly lab: Lab;
  readonly shape: RehearsalShape;
  readonly labFile: string;
  readonly stateDirectory: string;
}

/** Beside what building images takes. */
export const networkPrograms = [
  { program: 'ip', packageName: 'iproute2' },
  { program: 'ssh', packageName: 'openssh-client' },
];

const readyWithinMs = 60_000;
const pollMs = 50;

/** Ends with every device up and `serve` answering. Whatever it started is gone again when it throws. */
export async function startRehearsal(program: Program, start: RehearsalStart): Promise<void> {
  const { stateDirectory, lab } = start;
  assertShortPath(stateDirectory);
  const blueprint = resolveBlueprint(lab, { rehearsal: true });
  const roots = await buildImages(program, lab, blueprint);
  await rm(stateDirectory, { recursive: true, force: true });
  await ensureFolder(stateDirectory, { mode: 0o700 });
  const { hostKeys } = await writeRehearsal({
    ...start,
    ...roots,
    blueprint,
    cacheDirectory: program.folders.cache,
    laptopAddress: findFreeAddress(lab, blueprint),
    random: program.random,
  });
  // Opened here, in the user's own network, and handed down.
  const loopback = blueprint.cluster === undefined ? undefined : await openLoopbackSocket(stateDirectory);
  try {
    await runKeeper(program, { ...start, shape: { ...start.shape, nasHostKeys: hostKeys } }, loopback);
  } finally {
    await loopback?.close();
  }
}

async function runKeeper(
  program: Program,
  { stateDirectory, labFile, shape }: RehearsalStart,
  loopback: LoopbackSocket | undefined,
): Promise<void> {
  await writeRecord(stateDirectory, {
    version: 1,
    directory: program.directory,
    labFile,
    startedAt: program.clock.now(),
    ...shape,
    ...(loopback === undefined ? {} : { apiPort: loopback.port }),
  });
  const log = join(stateDirectory, 'keeper.log');
  const keeper = startKeeper({
    stateDirectory,
    nodeArguments: ['--disable-warning=ExperimentalWarning'],
    logFile: log,
    descriptors: loopback === undefined ? [] : [loopback.descriptor],
  });
  const died = new Promise<'died'>((resolve) => {
    keeper.once('exit', () => resolve('died'));
    keeper.once('error', () => resolve('died'));
  });
  try {
    await loopback?.close();
    await waitUntilReady(program, stateDirectory, died, log);
  } catch (error) {
    await stopRehearsal(stateDirectory, new AbortController().signal);
    throw error;
  }
}

/** Ends everything of it and removes its state. False when there was nothing to end. */
export async function stopRehearsal(stateDirectory: string, signal: AbortSignal): Promise<boolean> {
  const ended = await endRehearsal(stateDirectory, signal);
  await rm(stateDirectory, { recursive: true, force: true });
  return ended;
}

async function buildImages(
  program: Program,
  lab: Lab,
  blueprint: Blueprint,
): Promise<Pick<RehearsalPlan, 'toolsRoot' | 'emulatorRoot' | 'nasRoot' | 'routerRoot'>> {
  const context = {
    cacheDir: program.folders.cache,
    signal: program.interrupt,
    onProgress: (message: string) => program.terminal.err(`${message}\n`),
  };
  await ensureHostPrograms([...imagePrograms, ...networkPrograms], { ...context, environment: program.environment });
  // Side by side: downloading and unpacking overlap well on two cores.
  const [tools, qemu, nas, router] = await Promise.all([
    ensureDebianRoot({ name: 'tools', packages: toolPackages }, context),
    ensureDebianRoot({ name: 'emulator', ...emulator }, context),
    isNasRehearsed(lab) ? ensureDebianRoot({ name: 'nas', packages: nasPackages }, context) : undefined,
    rehearsedRouter(lab) && ensureDebianRoot({ name: 'router', packages: routerPackages }, context),
    ensureLabImages(blueprint, context),
    ensureBootLoaders(context),
  ]);
  // A lab without the Internet has no other image that its owner could try the cluster with.
  if (blueprint.cluster !== undefined) await ensureWebImage(context);
  return {
    toolsRoot: tools.directory,
    emulatorRoot: qemu.directory,
    ...(nas && { nasRoot: nas.directory }),
    ...(router && { routerRoot: router.directory }),
  };
}

async function waitUntilReady(
  program: Program,
  stateDirectory: string,
  died: Promise<'died'>,
  log: string,
): Promise<void> {
  const { clock, interrupt } = program;
  const deadline = clock.monotonic() + readyWithinMs;
  for (;;) {
    const status = await fetchKeeperStatus(stateDirectory);
    const processes = status?.processes ?? [];
    if (processes.length > 0 && processes.every((each) => each.state === 'running')) return;
    const broken = processes.find((each) => each.restarts >= 3);
    if (broken !== undefined)
      throw await startFailure(`${broken.process} on ${broken.device} does not stay up`, broken.log);
    const pause = clock.sleep(pollMs, interrupt).then(() => 'wait' as const);
    if ((await Promise.race([pause, died])) === 'died') throw await startFailure('its keeper ended', log);
    if (clock.monotonic() > deadline) {
      const late = processes.find((each) => each.state !== 'running');
      const what = late === undefined ? 'its keeper does not answer' : `${late.process} on ${late.device} is not ready`;
      throw await startFailure(`${what} after ${readyWithinMs / 1000} s`, late?.log ?? log);
    }
  }
}

async function fetchKeeperStatus(stateDirectory: string): Promise<KeeperStatus | undefined> {
  return await new Promise((resolve) => {
    const outgoing = request({ socketPath: keeperSocket(stateDirectory), path: '/', agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(JSON.parse(text) as KeeperStatus));
      answer.on('error', () => resolve(undefined));
    });
    outgoing.on('error', () => resolve(undefined)); // Not listening yet.
    outgoing.end();
  });
}

async function startFailure(why: string, log: string): Promise<LabwrightError> {
  const lines = await readFile(log, 'utf8').catch(() => '');
  return new LabwrightError('LW9001', {
    what: 'the rehearsal could not start',
    why,
    log: lines.trimEnd().split('\n').slice(-20),
    fix: ['labwright doctor', 'or report it with the lines above'],
  });
}

/** The laptop's own address: the first free one from the end of the network. */
function findFreeAddress(lab: Lab, { network, netboot, machines, cluster }: Blueprint): Ipv4 {
  const taken = new Set<string | undefined>([
    network.gateway,
    netboot.address,
    cluster?.endpoint.address,
    ...devicesOf(lab).map((device) => device.address),
    ...machines.map((machine) => machine.address),
  ]);
  const range = cidrRange(network.cidr);
  for (let value = ipv4ToNumber(range.last) - 1; value > ipv4ToNumber(range.first); value -= 1) {
    const address = ipv4FromNumber(value);
    const isService = network.services !== undefined && rangeContains(network.services, address);
    if (!taken.has(address) && !isService && !rangeContains(cidrRange(network.machines), address)) return address;
  }
  throw new LabwrightError('LW9001', {
    what: 'the rehearsal has no address left for its laptop',
    where: { network: network.name },
    fix: ['make the network larger'],
  });
}

/** A Unix socket's path has at most 107 bytes (unix(7)). */
function assertShortPath(stateDirectory: string): void {
  const room = 107 - '/proxmox/hosts/123456789012345/1234567890.serial'.length;
  if (Buffer.byteLength(stateDirectory) <= room) return;
  throw new LabwrightError('LW9001', {
    what: 'the path of the state folder is too long for sockets in it',
    where: { folder: stateDirectory },
    fix: ['set XDG_STATE_HOME to a folder with a shorter path'],
  });
}
