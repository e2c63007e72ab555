// One boot of real firmware from our files, followed until Linux runs with what it should have been given.
import { expect } from 'vitest';
import type { BootMachine } from '@labwright/netboot/boot-network';
import type { BootLan } from './boot-lan.ts';
import { startFirmwareGuest } from './firmware-guest.ts';

/** For the slowest of them. */
export const bootMs = 180_000;

/** Boots the machine until Linux has started from our files, and tells the stages that were seen on the way. */
export async function bootToLinux(boot: BootLan, machine: BootMachine): Promise<readonly string[]> {
  const earlier = boot.boots.length;
  boot.forgetRefusals();
  const started = performance.now();
  const guest = await startFirmwareGuest({ bridge: boot.lan.bridge, machine, folder: boot.folder });
  try {
    await boot.waitForBoot(
      (event) => event.machine === machine.name && event.stage === 'kernel' && boot.boots.indexOf(event) >= earlier,
      bootMs,
    );
    const fetched = performance.now();
    await expect.poll(() => guest.readConsole(), { timeout: bootMs, interval: 250 }).toMatch(/RAMDISK: \[.*\]/);
    const linux = await guest.readConsole();
    console.log(
      `${machine.firmware}: kernel asked for after ${seconds(fetched - started)}, Linux runs after ` +
        seconds(performance.now() - started),
    );
    const commandLine = /[Cc]ommand line: (.*)/.exec(linux)?.[1] ?? '';
    const { address, cidr } = boot.network;
    expect(commandLine).toMatch(new RegExp(`labwright\\.url=http://${address}:8080/b/[0-9a-f]{32} `));
    expect(commandLine).toContain(
      `labwright.lab=home+rehearsal labwright.machine=${machine.name} labwright.generation=1`,
    );
    expect(commandLine).toContain(
      `labwright.mac=${machine.mac} labwright.address=${machine.address}/${cidr.split('/')[1]}`,
    );
    // As large as what was served: iPXE keeps Content-Length, and Linux finds all of it.
    const [, first = '', last = ''] = /RAMDISK: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]/.exec(linux) ?? [];
    const ramdiskBytes = Number.parseInt(last, 16) - Number.parseInt(first, 16) + 1;
    expect(ramdiskBytes).toBeGreaterThanOrEqual(boot.image.initrd.size);
    expect(ramdiskBytes).toBeLessThan(boot.image.initrd.size + 4096);
  } finally {
    await guest.stop();
  }
  const events = boot.boots.slice(earlier).filter((event) => event.machine === machine.name);
  // All of it was one boot, and nothing was refused on the way.
  expect(new Set(events.map(({ session }) => session)).size).toBe(1);
  expect(boot.refused).toEqual([]);
  expect(boot.netboot.counters.malformed).toBe(0);
  return events.map(({ stage }) => stage);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
