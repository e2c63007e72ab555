// Starts a rehearsal: builds what is missing in the cache, writes its state, starts its keeper and waits until it serves.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { ipv4FromNumber, ipv4ToNumber, cidrRange, rangeContains, type Ipv4 } from '@labwright/core/addresses/ipv4';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { ensureBootLoaders } from '@labwright/images/boot-loaders';
import { ensureDebianImage } from '@labwright/images/debian/debian-image';
import { ensureDebianRoot } from '@labwright/images/debian-root';
import { ensureHostPrograms, imagePrograms } from '@labwright/images/host-programs';
import type { KeeperStatus } from '@labwright/rehearsal/keeper/keeper';
import { endRehearsal, startKeeper } from '@labwright/rehearsal/keeper/namespaces';
import { keeperSocket } from '@labwright/rehearsal/lab/topology';
import type { Program } from '../program.ts';
import { writeRehearsal } from './lab-in-rehearsal.ts';
import { writeRecord } from './record.ts';
import { toolPackages } from './tool-packages.ts';

export interface RehearsalStart {
  readonly blueprint: Blueprint;
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
  const { stateDirectory } = start;
  assertShortPath(stateDirectory);
  const toolsRoot = await buildImages(program);
  await rm(stateDirectory, { recursive: true, force: true });
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  await writeRehearsal({
    ...start,
    cacheDirectory: program.folders.cache,
    toolsRoot,
    laptopAddress: findFreeAddress(start.blueprint),
    random: program.random,
  });
  await writeRecord(stateDirectory, {
    version: 1,
    directory: program.directory,
    labFile: start.labFile,
    startedAt: program.clock.now(),
  });
  const log = join(stateDirectory, 'keeper.log');
  const keeper = startKeeper(stateDirectory, ['--disable-warning=ExperimentalWarning'], log);
  const died = new Promise<'died'>((resolve) => {
    keeper.once('exit', () => resolve('died'));
    keeper.once('error', () => resolve('died'));
  });
  try {
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

async function buildImages(program: Program): Promise<string> {
  const context = {
    cacheDir: program.folders.cache,
    signal: program.interrupt,
    onProgress: (message: string) => program.terminal.err(`${message}\n`),
  };
  await ensureHostPrograms([...imagePrograms, ...networkPrograms], { ...context, environment: program.environment });
  // Side by side: downloading and unpacking overlap well on two cores.
  const [tools] = await Promise.all([
    ensureDebianRoot({ name: 'tools', packages: toolPackages }, context),
    ensureDebianImage(context),
    ensureBootLoaders(context),
  ]);
  return tools.directory;
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
function findFreeAddress(blueprint: Blueprint): Ipv4 {
  const { network, hosts, netboot, machines } = blueprint;
  const taken = new Set<string>([
    network.gateway,
    netboot.address,
    ...hosts.map((host) => host.address),
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
