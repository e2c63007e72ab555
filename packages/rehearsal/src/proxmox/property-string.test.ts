// Proxmox's property strings: read leniently, written in the one order, wrong ones explained in its words.
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { formatDiskSize, formatPropertyString, parseDiskSize, parsePropertyString } from './property-string.ts';
import { agentFormat, driveFormats, networkFormat } from './property-formats.ts';

const canonical = (format: Parameters<typeof parsePropertyString>[0], text: string): string => {
  const result = parsePropertyString(format, text);
  if (!result.ok) throw new Error(result.problem + JSON.stringify(result.fields));
  return formatPropertyString(format, result.properties);
};

describe('the canonical order', () => {
  it.each([
    [
      networkFormat,
      'bridge=vmbr0,tag=5,virtio=02:00:00:00:01:01,firewall=yes',
      'virtio=02:00:00:00:01:01,bridge=vmbr0,firewall=1,tag=5',
    ],
    [networkFormat, 'model=e1000,macaddr=02:00:00:00:01:01', 'e1000=02:00:00:00:01:01'],
    [networkFormat, 'virtio,bridge=vmbr0', 'virtio,bridge=vmbr0'],
    [driveFormats.scsi, 'ssd=on,discard=on,local-lvm:32,iothread=1', 'local-lvm:32,discard=on,iothread=1,ssd=1'],
    [driveFormats.ide, 'media=cdrom,volume=local:iso/x.iso', 'local:iso/x.iso,media=cdrom'],
    [agentFormat, 'enabled=true,fstrim_cloned_disks=1', '1,fstrim_cloned_disks=1'],
  ])('%# writes %j as %j', (format, text, expected) => {
    expect(canonical(format, text)).toBe(expected);
  });
});

describe('a wrong string', () => {
  it.each([
    [networkFormat, 'virtio,virtio', 'duplicate key in comma-separated list property: model\n', {}],
    [networkFormat, 'virtio,speed=1', 'invalid key in comma-separated list property: speed\n', {}],
    [networkFormat, 'bridge=vmbr0', 'format error\n', { model: 'property is missing and it is not optional' }],
    [
      networkFormat,
      'virtio=03:00:00:00:00:01',
      'format error\n',
      { macaddr: 'invalid format - value does not look like a valid unicast MAC address\n' },
    ],
    [networkFormat, 'virtio,tag=5000', 'format error\n', { tag: 'value must have a maximum value of 4094' }],
  ])('%# is explained: %j', (format, text, problem, fields) => {
    expect(parsePropertyString(format, text)).toEqual({ ok: false, problem, fields });
  });

  it('is told from a right one without a throw, and a right one reads back the same', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const result = parsePropertyString(networkFormat, text);
        const again = result.ok
          ? parsePropertyString(networkFormat, formatPropertyString(networkFormat, result.properties))
          : result;
        expect(again).toEqual(result);
      }),
      { numRuns: 2_000 },
    );
  });
});

it('writes a size in the largest unit without a rest, and reads it back', () => {
  expect([32 * 1024 ** 3, 528 * 1024, 4 * 1024 ** 2, 1000].map(formatDiskSize)).toEqual(['32G', '528K', '4M', '1000']);
  fc.assert(fc.property(fc.nat({ max: 2 ** 46 }), (bytes) => parseDiskSize(formatDiskSize(bytes)) === bytes));
});
