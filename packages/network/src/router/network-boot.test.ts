import { cidr, ipv4 } from '@labwright/core/addresses/ipv4';
import type { NetbootBlueprint } from '@labwright/core/blueprint/blueprint';
import { parseLab } from '@labwright/core/lab/parse-lab';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { bootFields } from '@labwright/drivers/pfsense/entries/lease-entry';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { listHandmadeDhcp, networkBootOf } from './network-boot.ts';

const netboot: NetbootBlueprint = { mode: 'router', address: ipv4('10.1.0.9'), httpPort: 8080 };

test('the router names our files in router mode only', () => {
  const boot = networkBootOf(netboot);
  expect(boot && bootFields(boot)).toEqual({
    netboot: '',
    nextserver: '10.1.0.9',
    filename: 'labwright.pxe',
    filename64: 'labwright.efi',
  });
  expect(networkBootOf({ ...netboot, mode: 'proxy' })).toBeUndefined();
  expect(networkBootOf({ ...netboot, mode: 'serve' })).toBeUndefined();
});

test('by hand it is the same, with a lease for every machine that is or may come', async () => {
  const home = await readFile(new URL('../../../../examples/home/lab.yaml', import.meta.url), 'utf8');
  const { lab } = parseLab(
    home.replace('mode: serve', 'mode: router').replace('firmware: uefi', 'firmware: uefi\n    heal: replace'),
    'lab.yaml',
  );
  if (lab === undefined) throw new Error('the example does not parse');
  const blueprint = resolveBlueprint(lab, { rehearsal: false });
  const lines = listHandmadeDhcp(blueprint);
  expect(lines.slice(0, 3)).toEqual([
    `network ${cidr('10.1.0.0/22')}: next server (TFTP) 10.1.0.9`,
    'boot file for BIOS (architecture 0): labwright.pxe',
    'boot file for UEFI x64 (architectures 7 and 9): labwright.efi',
  ]);
  const leases = lines.filter((line) => line.startsWith('static lease: '));
  expect(leases).toHaveLength(blueprint.machines.length + (blueprint.spares?.length ?? 0));
  expect(leases.length).toBeGreaterThan(blueprint.machines.length);
  expect(leases[0]).toMatch(/^static lease: 02:[0-9a-f:]{14} has 10\.1\.1\.1 and the name node101$/);
  expect(listHandmadeDhcp({ ...blueprint, netboot: { ...netboot, mode: 'proxy' } })).toEqual([]);
});
