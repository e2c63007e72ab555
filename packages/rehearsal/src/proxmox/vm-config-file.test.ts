// The text of a VM's configuration file: order, description, pending changes, digest.
import { expect, it } from 'vitest';
import fc from 'fast-check';
import { formatVmConfig, getDigest, makeVmConfig, normaliseTags, parseVmConfig } from './vm-config-file.ts';

const raw = `#ours%3A 100 %25
#%C3%BCber
boot: order=scsi0;net0
memory: 2048
name: node101

[PENDING]
delete: balloon,!scsi1
memory: 4096

[before]
memory: 1024
snaptime: 1700000000
`;

it('reads and writes the same text', () => {
  const config = parseVmConfig(raw);
  expect(config.values).toMatchObject({ description: 'ours: 100 %\nüber', memory: '2048' });
  expect(config.pendingDelete).toEqual({ balloon: { force: false }, scsi1: { force: true } });
  expect(config.snapshots['before']).toMatchObject({ memory: '1024' });
  expect(formatVmConfig(config)).toBe(raw);
});

it('has a digest of its raw bytes', () => {
  expect(getDigest('')).toBe('da39a3ee5e6b4b0d3255bfef95601890afd80709');
  expect(getDigest(raw)).not.toBe(getDigest(`${raw}\n`));
});

it('keeps any description', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\n\r]/g, ' '));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const description = lines.join('\n').trimEnd();
      const config = makeVmConfig({ memory: '512', ...(description === '' ? {} : { description }) });
      expect(parseVmConfig(formatVmConfig(config)).values).toEqual(config.values);
    }),
  );
});

it('stores tags in lower case, sorted and once each', () => {
  expect(normaliseTags('Zeta,alpha;lab alpha')).toBe('alpha;lab;zeta');
});
