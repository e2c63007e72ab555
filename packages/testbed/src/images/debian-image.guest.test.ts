// The Debian image in a real guest: installed, started from its own disk by both kinds of firmware, and careful with other disks.
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { mac } from '@labwright/core/addresses/mac';
import { hostName } from '@labwright/core/addresses/names';
import { ensureDebianImage, type DebianImage } from '@labwright/images/debian/debian-image';
import type { IgnitionMachine } from '@labwright/netboot/ignition/ignition-config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testCacheDirectory, toolsRoot } from '../roots.ts';
import { ImageGuest, type GuestSetup } from './image-guest.ts';

const minutes = 60_000;
const run = promisify(execFile);
let folder: string;
let tools: string;
let image: DebianImage;
let installed: string;

const ignition: IgnitionMachine = {
  hostname: hostName('node101'),
  domain: 'home.arpa',
  user: {
    name: 'ops',
    authorizedKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDbzXkc1D5u0LqJ6GPo9FDgy0t5hLQIYcLS0Y5jvuZQ test'],
  },
  network: {
    mac: mac('02:1a:b0:00:01:01'),
    address: ipv4('10.0.2.15'),
    prefixLength: 24,
    gateway: ipv4('10.0.2.2'),
    resolvers: [ipv4('10.0.2.3')],
  },
  files: [],
  units: [],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'labwright-guest-'));
  tools = await toolsRoot();
  const context = {
    cacheDir: testCacheDirectory(),
    signal: AbortSignal.timeout(5 * minutes),
    onProgress: (message: string) => console.log(message),
  };
  image = await ensureDebianImage(context);
  installed = join(folder, 'installed.qcow2');
}, 10 * minutes);

afterAll(async () => await rm(folder, { recursive: true, force: true }));

test(
  'an empty disk is installed with 512 MiB, and the system starts without a second boot',
  { timeout: 4 * minutes },
  async () => {
    await qemuImg('create', '-q', '-f', 'qcow2', installed, '8G');
    await using guest = await start(installed, { from: 'network', machine: 'node101', generation: 1 }, 512);
    const done = await guest.waitFor('installed', 2 * minutes);
    const ready = await guest.waitFor('ready', 2 * minutes);
    console.log(`installed after ${done.seconds} s, ready after ${ready.seconds} s`);
    expect(guest.reports.map((report) => report.text.split(' ')[0])).toEqual([
      'started',
      ...Array<string>(4).fill('installing'),
      'installed',
      'ready',
    ]);
    expect(ready.text).toMatch(/"machine":"node101","generation":1,.*"sshHostKey":"ssh-ed25519 AAAA/);
  },
);

test.each(['bios', 'uefi'] as const)('the disk starts by itself (%s)', { timeout: 3 * minutes }, async (firmware) => {
  await using guest = await start(await copyOfInstalled(), { from: 'disk', firmware });
  const ready = await guest.waitFor('ready', 2.5 * minutes);
  expect(guest.reports).toHaveLength(1);
  console.log(`${firmware}: ready after ${ready.seconds} s`);
});

test('a finished disk that is netbooted again is started, not installed', { timeout: 3 * minutes }, async () => {
  await using guest = await start(await copyOfInstalled(), { from: 'network', machine: 'node101', generation: 1 });
  await guest.waitFor('ready', 2.5 * minutes);
  expect(guest.reports.map((report) => report.text).filter((text) => text.startsWith('installing'))).toEqual([]);
});

test('an older generation is installed again', { timeout: 4 * minutes }, async () => {
  await using guest = await start(await copyOfInstalled(), { from: 'network', machine: 'node101', generation: 2 });
  expect((await guest.waitFor('installed', 3 * minutes)).text).toBe('installed generation 2 on /dev/sda');
});

test(
  'a disk of another machine, or with anything on it, is refused and stays as it is',
  { timeout: 4 * minutes },
  async () => {
    const disk = await copyOfInstalled();
    const before = await digestOf(disk);
    expect(await refusal(disk, 'node102')).toBe(
      'refused the disk /dev/sda belongs to machine node101 of lab home, and this is node102 of lab home',
    );
    expect(await digestOf(disk)).toBe(before);

    const foreign = join(folder, 'foreign.raw');
    await run('truncate', ['--size=4G', foreign]);
    await run('/sbin/mkfs.ext4', ['-q', '-F', foreign]);
    const untouched = await digestOf(foreign);
    expect(await refusal(foreign, 'node101')).toMatch(
      /^refused the disk \/dev\/sda holds a file system or volume of type ext4 and no mark of Labwright; erase it/,
    );
    expect(await digestOf(foreign)).toBe(untouched);
  },
);

test.each([
  { cut: 'installing partitions', until: 'installing the root' },
  { cut: 'installing the root', until: 'installed generation 1' },
  { cut: 'installing the configuration', until: 'installing the root' },
  { cut: 'installing the boot loader', until: 'installing the root' },
])(
  'an installation cut short at "$cut" is recognised and done again',
  { timeout: 5 * minutes },
  async ({ cut, until }) => {
    const disk = join(folder, 'cut.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', disk, '8G');
    const boot = { from: 'network', machine: 'node101', generation: 1 } as const;
    {
      await using guest = await start(disk, boot);
      await guest.waitFor(cut, 2 * minutes);
    }
    await using again = await start(disk, boot);
    expect((await again.waitFor(until, 3 * minutes)).text.split(' ')[0]).toMatch(/^install/);
  },
);

test.each([
  { firmware: 'bios', goesOn: /No bootable device/ },
  { firmware: 'uefi', goesOn: /HARDDISK "[^\n]*Not Found[^]*Start PXE/ },
] as const)(
  'a disk that became bootable and was never marked as finished is not run, and $firmware firmware goes on to the network',
  { timeout: 5 * minutes },
  async ({ firmware, goesOn }) => {
    const disk = await copyOfInstalled('raw');
    const file = await open(disk, 'r+');
    // The mark's sector.
    const { buffer } = await file.read({ buffer: Buffer.alloc(512), position: 64 * 512 });
    const text = buffer.toString('latin1');
    expect(text).toContain('state=installed');
    await file.write(text.replace('state=installed', 'state=installing').slice(0, 512), 64 * 512, 'latin1');
    await file.close();
    {
      await using guest = await start(disk, { from: 'disk', firmware });
      await guest.waitForConsole(/the installation on \/dev\/sda was not finished/, 2 * minutes);
      await guest.waitFor('off', 1 * minutes);
    }
    {
      await using guest = await start(disk, { from: 'disk', firmware });
      await guest.waitForConsole(goesOn, 2 * minutes);
    }
    await using guest = await start(disk, { from: 'network', machine: 'node101', generation: 1 });
    await guest.waitFor('installing the root', 2 * minutes);
  },
);

test('a root file system grows with its disk at the next boot', { timeout: 3 * minutes }, async () => {
  const disk = join(folder, 'grown.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, '8G');
  const tell = `[Unit]
After=labwright-grow.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "root has $(df --output=size --block-size=1M / | tail -n 1) MiB" > /dev/console'
[Install]
WantedBy=multi-user.target
`;
  const telling = { ...ignition, units: [{ name: 'tell-size.service', enabled: true, content: tell }] };
  const size = /root has +(\d+) MiB/;
  let before: number;
  {
    await using guest = await start(disk, { from: 'network', machine: 'node101', generation: 1 }, 1024, telling);
    before = Number((await guest.waitForConsole(size, 2.5 * minutes))[1]);
  }
  await qemuImg('resize', '-q', disk, '12G');
  await using guest = await start(disk, { from: 'disk', firmware: 'bios' });
  const after = Number((await guest.waitForConsole(size, 2 * minutes))[1]);
  console.log(`the root file system had ${before} MiB and has ${after} MiB`);
  expect(after - before).toBeGreaterThan(3.9 * 1024);
});

test(
  'a disk with another kernel than the one that was netbooted is started with its own',
  { timeout: 4 * minutes },
  async () => {
    const disk = join(folder, 'kexec.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', disk, '8G');
    // Another kernel is one whose modules the disk does not have: they are moved away, and back once the disk's kernel runs.
    const away = `[Unit]
After=labwright-phone-home.service
ConditionPathExists=!/var/lib/moved
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'touch /var/lib/moved; mv /lib/modules/%v /lib/modules/kept; sync; echo modules are away > /dev/console'
[Install]
WantedBy=multi-user.target
`;
    const back = `[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=systemd-udev-trigger.service sysinit.target
ConditionPathExists=/lib/modules/kept
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mv /lib/modules/kept /lib/modules/%v; echo "modules are back, $(cat /proc/cmdline)" > /dev/console'
[Install]
WantedBy=sysinit.target
`;
    const units = [
      { name: 'modules-away.service', enabled: true, content: away },
      { name: 'modules-back.service', enabled: true, content: back },
    ];
    const boot = { from: 'network', machine: 'node101', generation: 1 } as const;
    {
      await using guest = await start(disk, boot, 1024, { ...ignition, units });
      await guest.waitForConsole(/modules are away/, 2.5 * minutes);
    }
    await using guest = await start(disk, boot);
    await guest.waitForConsole(/the disk has another kernel than \S+ and is started with its own/, 1 * minutes);
    const [, commandLine = ''] = await guest.waitForConsole(/modules are back, (.*)/, 2 * minutes);
    expect(commandLine).toMatch(/^root=UUID=/);
    await guest.waitFor('ready', 2 * minutes);
    expect(guest.reports.filter(({ text }) => text.startsWith('installing'))).toEqual([]);
  },
);

async function start(
  disk: string,
  boot: GuestSetup['boot'],
  memoryMiB = 1024,
  machine: IgnitionMachine = ignition,
): Promise<ImageGuest> {
  return await ImageGuest.start({ tools, image, disk, boot, ignition: machine, memoryMiB });
}

async function refusal(disk: string, machine: string): Promise<string> {
  await using guest = await start(disk, { from: 'network', machine, generation: 1 });
  return (await guest.waitFor('refused', 1 * minutes)).text;
}

/** Each test changes a disk of its own. */
async function copyOfInstalled(format: 'qcow2' | 'raw' = 'qcow2'): Promise<string> {
  const copy = join(folder, `copy.${format}`);
  await qemuImg('convert', '-f', 'qcow2', '-O', format, installed, copy);
  return copy;
}

async function qemuImg(...args: readonly string[]): Promise<void> {
  const libraries = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'].map((path) => join(tools, path)).join(':');
  await run(join(tools, 'lib64/ld-linux-x86-64.so.2'), [
    '--library-path',
    libraries,
    join(tools, 'usr/bin/qemu-img'),
    ...args,
  ]);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
