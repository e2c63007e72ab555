import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BootEvent } from '@labwright/core/events/boot';
import type { Log } from '@labwright/core/ports/log';
import type { BootMachine } from '@labwright/netboot/boot-network';
import { newIpxeFolder } from '../roots.ts';
import { makeBootLan, type BootLan } from './boot-lan.ts';
import { bootMs, bootToLinux } from './boot-to-linux.ts';
import { guestKernel, startFirmwareGuest } from './firmware-guest.ts';
import { startUdhcpd, type OtherServer } from './udhcpd.ts';

let boot: BootLan;

const firmwares = [
  { firmware: 'bios', stages: ['offered', 'script', 'kernel'] },
  { firmware: 'uefi', stages: ['offered', 'loader', 'script', 'kernel'] },
] as const;

describe('as the only DHCP server', () => {
  beforeAll(async () => {
    boot = await makeBootLan({ bridge: 'guest-lan', subnet: 20, kernelPath: await guestKernel() });
  });
  afterAll(() => boot.close());

  test.each(firmwares)(
    '$firmware firmware boots from us, and Linux starts',
    { timeout: 2 * bootMs },
    async (expected) => {
      expect(await bootToLinux(boot, machineWith(expected.firmware))).toEqual(expected.stages);
    },
  );
});

describe('as a proxy beside another DHCP server', () => {
  let other: OtherServer;

  beforeAll(async () => {
    boot = await makeBootLan({ bridge: 'proxied-lan', subnet: 21, kernelPath: await guestKernel(), mode: 'proxy' });
    const router = await boot.lan.addPeer('router', '02:00:00:15:00:01', '10.77.21.1/24');
    other = await startUdhcpd({ peer: router, folder: boot.folder, first: '10.77.21.200', last: '10.77.21.210' });
  });
  afterAll(async () => {
    await other.stop();
    await boot.close();
  });

  test.each(firmwares)(
    '$firmware firmware boots from us, and Linux starts',
    { timeout: 2 * bootMs },
    async (expected) => {
      expect(await bootToLinux(boot, machineWith(expected.firmware))).toEqual(expected.stages);
    },
  );
});

describe('as a server that was killed and started again', () => {
  beforeAll(async () => {
    boot = await makeBootLan({ bridge: 'anew-lan', subnet: 22, kernelPath: await guestKernel() });
  });
  afterAll(() => boot.close());

  test.each(firmwares)(
    '$firmware: a boot it knows nothing of begins anew',
    { timeout: 2 * bootMs },
    async (expected) => {
      const machine = machineWith(expected.firmware);
      const isStage =
        (stage: string) =>
        (event: BootEvent): boolean =>
          event.machine === machine.name && event.stage === stage;
      // Held at the script: its kernel is not to be had.
      boot.setImageReady(false);
      const guest = await startFirmwareGuest({ bridge: boot.lan.bridge, machine, folder: boot.folder });
      try {
        const before = await boot.waitForBoot(isStage('script'), bootMs);
        await boot.restart();
        boot.setImageReady(true);
        const after = await boot.waitForBoot(isStage('kernel'), bootMs).catch(async (error: unknown) => {
          throw new Error(`${String(error)}\n${(await guest.readConsole()).slice(-3000)}`);
        });
        expect(after.session).not.toBe(before.session);
        expect(boot.refused.map(({ reason }) => reason)).toContain('no boot has this token');
        await expect.poll(() => guest.readConsole(), { timeout: bootMs, interval: 250 }).toMatch(/RAMDISK: \[.*\]/);
      } finally {
        await guest.stop();
        boot.forgetRefusals();
      }
    },
  );
});

describe('with an iPXE that looks for autoexec.ipxe beside itself', () => {
  const transfers: string[] = [];

  beforeAll(async () => {
    const log: Log = {
      debug: (message, fields) => transfers.push(`${message} ${JSON.stringify(fields)}`),
      info: () => undefined,
      warn: () => undefined,
      error: (message, fields) => console.error(message, fields),
    };
    const loaderFolder = await newIpxeFolder();
    boot = await makeBootLan({ bridge: 'new-lan', subnet: 23, kernelPath: await guestKernel(), loaderFolder, log });
  });
  afterAll(() => boot.close());

  test('it takes its script by TFTP from there, and Linux starts', { timeout: 2 * bootMs }, async () => {
    expect(await bootToLinux(boot, machineWith('uefi'))).toEqual(['offered', 'loader', 'kernel']);
    const scripts = transfers.filter((line) => line.startsWith('a TFTP transfer') && line.includes('autoexec.ipxe'));
    expect(scripts).toEqual([expect.stringContaining('"outcome":"sent"')]);
  });
});

function machineWith(firmware: BootMachine['firmware']): BootMachine {
  const machine = boot.machines.find((candidate) => candidate.firmware === firmware);
  if (machine === undefined) throw new Error(`no ${firmware} machine`);
  return machine;
}
