import { expect, test } from 'vitest';
import { ipv4 } from '@labwright/core/addresses/ipv4';
import { biosOptions, ipxeOptions, makeRequest, uefiOptions } from '../make-boot.ts';
import { bootClientOf } from './boot-client.ts';
import { chooseBootFile, type BootPlace } from './boot-choice.ts';

const token = '0123456789abcdef0123456789abcdef';
const place: BootPlace = {
  address: ipv4('10.1.0.9'),
  httpPort: 8080,
  token,
  loaders: new Set(['snponly.efi', 'undionly.kpxe', 'ipxe.efi', 'ipxe.pxe']),
  chained: false,
};
const withoutHttp = { ...ipxeOptions, ipxe: { featureBzimage: 1 } };

test.each([
  ['an operating system', {}, undefined],
  ['UEFI x64', uefiOptions, `b/${token}/snponly.efi`],
  ['UEFI x64 that calls itself EBC', { ...uefiOptions, architectures: [9] }, `b/${token}/snponly.efi`],
  ['BIOS', biosOptions, `b/${token}/undionly.kpxe`],
  ['a ROM that does not say what it is', { vendorClass: 'PXEClient' }, `b/${token}/undionly.kpxe`],
  ['iPXE', ipxeOptions, `http://10.1.0.9:8080/b/${token}/boot.ipxe`],
  [
    'iPXE that gives its class a length',
    { ...ipxeOptions, userClass: Uint8Array.of(4, 0x69, 0x50, 0x58, 0x45) },
    `http://10.1.0.9:8080/b/${token}/boot.ipxe`,
  ],
  ['iPXE without HTTP, BIOS', withoutHttp, `tftp://10.1.0.9/b/${token}/ipxe.pxe`],
  ['iPXE without HTTP, UEFI', { ...withoutHttp, architectures: [7] }, `tftp://10.1.0.9/b/${token}/ipxe.efi`],
])('%s', (_who, options, file) => {
  const choice = chooseBootFile(bootClientOf(makeRequest(options)), place);
  expect(choice === undefined || choice.kind === 'none' ? choice : choice.file).toBe(file);
});

test.each([
  ['ARM', { ...uefiOptions, architectures: [11] }, place, 'there is no boot loader for UEFI ARM64'],
  [
    'UEFI HTTP boot',
    { vendorClass: 'HTTPClient:Arch:00016', architectures: [16] },
    place,
    'HTTP boot, which is not served yet',
  ],
  ['iPXE that came back without HTTP', withoutHttp, { ...place, chained: true }, 'iPXE came back without HTTP'],
  ['a missing loader', biosOptions, { ...place, loaders: new Set<string>() }, 'undionly.kpxe is not installed'],
])('%s gets nothing, with the reason', (_who, options, where, reason) => {
  const choice = chooseBootFile(bootClientOf(makeRequest(options)), where);
  expect(choice).toMatchObject({ kind: 'none', reason: expect.stringContaining(reason) });
});

test('port 80 is not written into the address', () => {
  const choice = chooseBootFile(bootClientOf(makeRequest(ipxeOptions)), { ...place, httpPort: 80 });
  expect(choice).toMatchObject({ file: `http://10.1.0.9/b/${token}/boot.ipxe` });
});
