// Network boot as one thing that starts and stops: DHCP, TFTP and HTTP around the boots that run.
import { readFile } from 'node:fs/promises';
import { hostName } from '@labwright/core/addresses/names';
import { LabwrightError } from '@labwright/core/errors/error';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import type { TftpRequest } from '@labwright/wire/tftp/packet';
import { zeroCounters, type BootCounters } from './boot-counters.ts';
import type {
  BootArtifacts,
  BootDirectory,
  BootEventSink,
  BootImages,
  BootLoaders,
  BootMachine,
  BootNetwork,
  HolderOf,
  IgnitionAnswer,
  PhoneHomeAnswer,
} from './boot-network.ts';
import { startDhcpServer } from './dhcp/dhcp-server.ts';
import { DynamicLeases, type LeaseStore } from './dhcp/dynamic-leases.ts';
import { startBootHttp } from './http/boot-http.ts';
import { BootSessions } from './session/boot-sessions.ts';
import { Refusals } from './session/refusals.ts';
import { readNeighbour } from './sockets/neighbours.ts';
import { findStaticFile, type FindStaticFile } from './static/static-files.ts';
import { findTftpFile } from './tftp/boot-file.ts';
import { startTftpServer, type TftpFile } from './tftp/tftp-server.ts';

export interface NetbootOptions {
  readonly network: BootNetwork;
  readonly directory: BootDirectory;
  readonly images: BootImages;
  /** Without it there is no registry and nothing of Kubernetes. */
  readonly artifacts?: BootArtifacts;
  readonly loaders: BootLoaders;
  /** Must not answer 404 for a known machine: Ignition gives up on it. A rejection becomes a 503. */
  readonly renderIgnition: (
    machine: BootMachine,
    acceptHeader: string | undefined,
  ) => IgnitionAnswer | Promise<IgnitionAnswer>;
  /** Judges the body of POST /phone-home by the signature in the header `labwright-signature`. */
  readonly phoneHome: (body: Uint8Array, signature: string, peer: string) => Promise<PhoneHomeAnswer>;
  readonly leaseStore?: LeaseStore;
  /** Who has an address that asks for a file whose name never changes ('router' mode); the kernel's table by default. */
  readonly holderOf?: HolderOf;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly emit: BootEventSink;
  /** For tests; the protocols' own ports by default. The HTTP port is part of the network. */
  readonly ports?: Partial<NetbootPorts>;
  /** Of the network, 1500 unless it is known to be another. */
  readonly mtu?: number;
  /**
   * A UDP socket already bound to 0.0.0.0:67 and to one device, as a systemd socket unit with BindToDevice= passes it.
   * Without it the socket is opened and bound to the device that carries our address.
   */
  readonly dhcpReceiveFd?: number;
}

interface NetbootPorts {
  readonly dhcp: number;
  readonly dhcpClient: number;
  readonly bootServer: number;
  readonly tftp: number;
}

export interface Netboot {
  readonly counters: Readonly<BootCounters>;
  /** Requests that were refused since the start. */
  readonly refusedCount: number;
  /** Answers nothing new, lets running transfers end for a few seconds, then closes. Safe to call twice. */
  close(): Promise<void>;
}

const usualPorts: NetbootPorts = { dhcp: 67, dhcpClient: 68, bootServer: 4011, tftp: 69 };
const tickMs = 1_000;

/**
 * Resolves when every server listens. Throws LW0008 when a port is taken, LW0007 when one needs privileges, LW0005 when
 * a boot loader cannot be read. Closes when the signal is aborted.
 */
export async function startNetboot(options: NetbootOptions, signal: AbortSignal): Promise<Netboot> {
  const { network, clock, random, log, emit, directory } = options;
  const ports = { ...usualPorts, ...options.ports };
  const loaders = await readLoaders(options.loaders);
  const refusals = new Refusals({ clock, log, emit });
  const sessions = new BootSessions({ clock, random, mode: network.mode, emit });
  const counters = zeroCounters();
  const stopping = new AbortController();
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll());

  try {
    const leases = network.dynamic === undefined ? undefined : new DynamicLeases(network.dynamic, options.leaseStore);
    const holderOf = options.holderOf ?? readNeighbour;
    // The port is only known when it listens, and nothing is asked for before.
    let served = network;
    const findStatic: FindStaticFile = (path, asker) =>
      findStaticFile(path, asker, { network: served, directory, sessions, loaders, holderOf, log });
    const http = await startBootHttp({ ...options, loaders, sessions, refusals, findStatic, onReady });
    closers.push(() => http.close());
    served = { ...network, httpPort: http.port };
    const find = (request: TftpRequest, { address }: { readonly address: string }): Promise<TftpFile> =>
      findTftpFile(request, address, { sessions, network: served, loaders, findStatic });
    const tftp = await startTftpServer({
      address: network.address,
      port: ports.tftp,
      mtu: options.mtu ?? 1500,
      find,
      refusals,
      counters,
      clock,
      log,
    });
    closers.push(() => tftp.close());
    const world = {
      network: served,
      directory,
      sessions,
      loaders: new Set(loaders.keys()),
      clock,
      ...(leases === undefined ? {} : { leases }),
    };
    const dhcp = await startDhcpServer(
      {
        world,
        ports: { server: ports.dhcp, client: ports.dhcpClient, bootServer: ports.bootServer },
        ...(options.dhcpReceiveFd === undefined ? {} : { receiveFd: options.dhcpReceiveFd }),
        refusals,
        counters,
        log,
      },
      signal,
    );
    closers.push(() => dhcp.close());
  } catch (error) {
    await close();
    throw error;
  }
  const ticking = tickUntil(stopping.signal);
  closers.push(() => ticking);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  log.info('network boot is served', { address: network.address, mode: network.mode });
  return {
    counters,
    get refusedCount() {
      return refusals.count;
    },
    close,
  };

  function onReady(machine: string, peer: string): void {
    const session = sessions.byMachine(machine);
    const detail = `it phoned home from ${peer}`;
    // One that is ready already has since booted from its disk, without us.
    if (session !== undefined && session.stage !== 'ready') sessions.see(session, { type: 'ready', detail });
    else emit({ type: 'boot', at: clock.now(), machine: hostName(machine), stage: 'ready', detail });
  }

  function onAbort(): void {
    close().catch((error: unknown) => log.error('network boot did not close cleanly', { error: String(error) }));
  }

  /** DHCP first, so that no new boot begins while the last transfers end. */
  async function closeAll(): Promise<void> {
    signal.removeEventListener('abort', onAbort);
    const endings = closers.toReversed().map((end) => end());
    stopping.abort();
    await Promise.all(endings);
  }

  async function tickUntil(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      sessions.tick();
      await clock.sleep(tickMs, stop).catch((error: unknown) => {
        if (!stop.aborted) throw error;
      });
    }
  }
}

async function readLoaders(paths: BootLoaders): Promise<ReadonlyMap<string, Uint8Array>> {
  const loaders = new Map<string, Uint8Array>();
  for (const [name, path] of Object.entries(paths)) {
    if (path === undefined) continue;
    try {
      loaders.set(name, new Uint8Array(await readFile(path)));
    } catch (cause) {
      throw new LabwrightError('LW0005', {
        what: `the boot loader ${name} could not be read`,
        where: { file: path },
        why: (cause as Error).message,
        fix: ['install it: apt install ipxe'],
        cause,
      });
    }
  }
  return loaders;
}
