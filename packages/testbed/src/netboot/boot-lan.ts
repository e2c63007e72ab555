// A LAN with our network boot on it, machines that may boot, and everything that happened, for conformance tests.
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cidr, ipv4, type Ipv4Range } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName, labId } from '@labwright/core/addresses/names';
import type { BootEvent, BootRefusedEvent } from '@labwright/core/events/boot';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { systemClock, systemRandom } from '@labwright/core/ports/system';
import type { BootFile, BootImage, BootMachine, BootMode, BootNetwork } from '@labwright/netboot/boot-network';
import { startNetboot, type Netboot, type NetbootOptions } from '@labwright/netboot/netboot';
import { makeLan, type Lan } from '../network/lan.ts';
import { toolsRoot } from '../roots.ts';

export interface BootLan {
  readonly lan: Lan;
  /** The one that serves now. */
  readonly netboot: Netboot;
  readonly network: BootNetwork;
  readonly machines: readonly BootMachine[];
  readonly image: BootImage;
  /** A folder that ends with the LAN. */
  readonly folder: string;
  /** A script for udhcpc that prints what it was given. */
  readonly leasePrinter: string;
  readonly loaders: Readonly<Record<string, string>>;
  readonly boots: readonly BootEvent[];
  readonly refused: readonly BootRefusedEvent[];
  /** Starts the list anew, so that a test sees its own. */
  forgetRefusals(): void;
  /** Whether the image can be had; it can from the beginning unless the options say otherwise. */
  setImageReady(isReady: boolean): void;
  /** Ends network boot and begins it anew with nothing known, as after a kill; in another mode when one is given. */
  restart(mode?: BootMode): Promise<void>;
  /** Resolves with the first boot event that fits, past ones included. */
  waitForBoot(fits: (event: BootEvent) => boolean, timeoutMs: number): Promise<BootEvent>;
  close(): Promise<void>;
}

export interface BootLanOptions {
  readonly bridge: string;
  /** Third byte of 10.77.x.0/24, so that several LANs fit into one testbed. */
  readonly subnet: number;
  readonly mode?: BootMode;
  readonly dynamic?: Ipv4Range;
  readonly machines?: readonly Pick<BootMachine, 'firmware'>[];
  /** The files of the image; random bytes by default. */
  readonly kernelPath?: string;
  readonly initrdPath?: string;
  /** Loaders of another iPXE than the tools tree has: the folder with its files. */
  readonly loaderFolder?: string;
  readonly log?: Log;
  /** How much faster than real time the servers' clock runs, for tests that wait for a stall. */
  readonly haste?: number;
}

export async function makeBootLan(options: BootLanOptions): Promise<BootLan> {
  const { bridge, subnet } = options;
  const at = (host: number): string => `10.77.${subnet}.${host}`;
  const lan = await makeLan(bridge, `${at(9)}/24`);
  const folder = await mkdtemp(join(tmpdir(), 'boot-lan-'));
  const firmwares = options.machines ?? [{ firmware: 'uefi' }, { firmware: 'bios' }];
  const machines = firmwares.map(({ firmware }, index) => ({
    name: hostName(`node${101 + index}`),
    mac: mac(`02:00:00:${subnet.toString(16).padStart(2, '0')}:01:0${index + 1}`),
    address: ipv4(at(11 + index)),
    firmware,
    image: 'debian',
    generation: 1,
    lab: labId('home+rehearsal'),
  }));
  const image: BootImage = {
    kernel: await fileOf(options.kernelPath, join(folder, 'kernel'), 3_000_001),
    initrd: await fileOf(options.initrdPath, join(folder, 'initrd'), 5_242_880),
    rootfs: await fileOf(undefined, join(folder, 'rootfs'), 100_000),
  };
  const ipxe = options.loaderFolder ?? join(await toolsRoot(), 'usr/lib/ipxe');
  const loaders = {
    'snponly.efi': join(ipxe, 'snponly.efi'),
    // The package of Debian 12 links it to /boot, which is this machine's outside the tree.
    'ipxe.efi': options.loaderFolder === undefined ? join(await toolsRoot(), 'boot/ipxe.efi') : join(ipxe, 'ipxe.efi'),
    'undionly.kpxe': join(ipxe, 'undionly.kpxe'),
    'ipxe.pxe': join(ipxe, 'ipxe.pxe'),
  };
  const leasePrinter = join(folder, 'print-lease');
  await writeFile(leasePrinter, '#!/bin/sh\necho "event=$1"\nenv\n');
  await chmod(leasePrinter, 0o755);
  const boots: BootEvent[] = [];
  const refused: BootRefusedEvent[] = [];
  const waiting = new Set<() => void>();
  const stop = new AbortController();
  let network: BootNetwork = {
    address: ipv4(at(9)),
    cidr: cidr(`${at(0)}/24`),
    gateway: ipv4(at(1)),
    resolvers: [ipv4(at(1))],
    domain: 'home.arpa',
    httpPort: 8080,
    mode: options.mode ?? 'serve',
    ...(options.dynamic === undefined ? {} : { dynamic: options.dynamic }),
  };
  let isImageReady = true;
  const netbootOptions = {
    directory: {
      findByMac: (asking) => machines.find((machine) => machine.mac === asking),
      findByAddress: (asking) => machines.find((machine) => machine.address === asking),
    },
    images: { get: (name: string) => Promise.resolve(name === 'debian' && isImageReady ? image : undefined) },
    loaders,
    renderIgnition: (machine) => ({
      status: 200,
      contentType: 'application/vnd.coreos.ignition+json;version=3.3.0',
      body: JSON.stringify({ ignition: { version: '3.3.0' }, machine: machine.name }),
    }),
    phoneHome: (body) => {
      const machine = machines.find(({ name }) => name === new TextDecoder().decode(body));
      return Promise.resolve(machine ? { status: 204, machine: machine.name } : { status: 403, reason: 'nobody' });
    },
    clock: hastyClock(options.haste ?? 1),
    random: systemRandom,
    log: options.log ?? failuresOnly,
    emit: (event) => {
      if (event.type === 'boot') boots.push(event);
      else refused.push(event);
      for (const check of waiting) check();
    },
  } satisfies Omit<NetbootOptions, 'network'>;
  let netboot = await startNetboot({ ...netbootOptions, network }, stop.signal);
  return {
    lan,
    get netboot() {
      return netboot;
    },
    get network() {
      return network;
    },
    machines,
    image,
    folder,
    leasePrinter,
    loaders,
    boots,
    refused,
    forgetRefusals: () => {
      refused.length = 0;
    },
    setImageReady: (isReady) => {
      isImageReady = isReady;
    },
    restart: async (mode = network.mode) => {
      await netboot.close();
      network = { ...network, mode };
      netboot = await startNetboot({ ...netbootOptions, network }, stop.signal);
    },
    waitForBoot: async (fits, timeoutMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<BootEvent>();
      const check = (): void => {
        const found = boots.find(fits);
        if (found !== undefined) resolve(found);
      };
      const seen = (): string => boots.map(({ machine, stage, detail }) => `${machine} ${stage}: ${detail}`).join('\n');
      const timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms; saw:\n${seen()}`)), timeoutMs);
      waiting.add(check);
      check();
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(check);
      }
    },
    close: async () => {
      await netboot.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The path that the DHCP answer names holds the token; a test reads it from what the client printed. */
export function tokenIn(text: string): string {
  const token = /b\/([0-9a-f]{32})\//.exec(text)?.[1];
  if (token === undefined) throw new Error(`no token in: ${text}`);
  return token;
}

export async function sameBytes(one: string, other: string): Promise<boolean> {
  return (await readFile(one)).equals(await readFile(other));
}

async function fileOf(given: string | undefined, made: string, size: number): Promise<BootFile> {
  if (given !== undefined) return { path: given, size: (await readFile(given)).length };
  await writeFile(made, randomBytes(size));
  return { path: made, size };
}

function hastyClock(haste: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * haste,
    sleep: (ms, signal) => systemClock.sleep(ms / haste, signal),
  };
}

const failuresOnly: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => console.error(message, fields),
};
