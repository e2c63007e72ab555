// SeaBIOS and OVMF boot in each of the three ways a lab may have its addresses and boot files, beside an emulated pfSense with
// each of its two DHCP servers.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBootLan, type BootLan } from './boot-lan.ts';
import { bootMs, bootToLinux } from './boot-to-linux.ts';
import { guestKernel } from './firmware-guest.ts';
import { addRouterDhcp, type RouterDhcp } from './router-dhcp.ts';

const bios = { firmware: 'bios', stages: ['offered', 'script', 'kernel'] } as const;
const uefi = { firmware: 'uefi', stages: ['offered', 'loader', 'script', 'kernel'] } as const;
const boots = [bios, uefi] as const;

let boot: BootLan;
let dhcp: RouterDhcp;

beforeAll(async () => {
  boot = await makeBootLan({ bridge: 'matrix-lan', subnet: 31, kernelPath: await guestKernel() });
  dhcp = await addRouterDhcp(boot);
}, 120_000);

afterAll(async () => {
  await dhcp?.stop();
  await boot?.close();
});

const combinations = (['isc', 'kea'] as const).flatMap((backEnd, row) =>
  (['serve', 'proxy', 'router'] as const).map((mode, column) => ({
    backEnd,
    mode,
    // In `npm test` one of the two: every pair of back end, mode and firmware is in these six.
    firmwares: process.env['LABWRIGHT_PAIRWISE'] === '1' ? [(row + column) % 2 === 0 ? bios : uefi] : boots,
  })),
);

describe.each(combinations)('$mode beside $backEnd', ({ backEnd, mode, firmwares }) => {
  beforeAll(async () => {
    await dhcp.set(backEnd, mode);
  }, 120_000);

  test.each(firmwares)('$firmware', { timeout: 2 * bootMs }, async ({ firmware, stages }) => {
    const machine = boot.machines.find((each) => each.firmware === firmware);
    if (machine === undefined) throw new Error(`no ${firmware} machine`);
    expect(await bootToLinux(boot, machine)).toEqual(stages);
  });
});
