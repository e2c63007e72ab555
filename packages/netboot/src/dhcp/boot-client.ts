// Who asks: what a DHCP message tells about the firmware behind it, computed once.
import { parseMac, type Mac } from '@labwright/core/addresses/mac';
import { hexOf, textOf } from '@labwright/wire/bytes/reader';
import type { DhcpMessage } from '@labwright/wire/dhcp4/message';
import { architecture } from '@labwright/wire/dhcp4/options';

/** The kind of program that asks; decides which file it can run. */
export type BootClient =
  /** iPXE, from a ROM or loaded by us; `http` when it can fetch over HTTP and start Linux itself. */
  | { readonly kind: 'ipxe'; readonly platform: Platform; readonly http: boolean }
  /** Firmware that loads one file by TFTP. */
  | { readonly kind: 'pxe'; readonly platform: Platform }
  /** Firmware that loads one file by HTTP (UEFI HTTP boot); not served yet. */
  | { readonly kind: 'http-boot'; readonly platform: Platform }
  /** Not booting: an operating system that wants an address. */
  | { readonly kind: 'system' };

/** Processor and firmware as option 93 tells them. Not how the machine is set up, which only the lab file knows. */
export type Platform = 'bios' | 'efi-x64' | { readonly other: number };

export function bootClientOf(message: DhcpMessage): BootClient {
  const { vendorClass = '', userClass, ipxe } = message.options;
  const platform = platformOf(message);
  // iPXE sends its user class as plain text, and with a length byte when set through its own settings (RFC 3004).
  const isIpxe = ipxe !== undefined || (userClass !== undefined && /^.?iPXE$/s.test(textOf(userClass)));
  if (isIpxe) {
    const startsLinux = ipxe?.featureBzimage === 1 || ipxe?.featureEfi === 1;
    return { kind: 'ipxe', platform, http: ipxe?.featureHttp === 1 && startsLinux };
  }
  if (vendorClass.startsWith('PXEClient')) return { kind: 'pxe', platform };
  if (vendorClass.startsWith('HTTPClient')) return { kind: 'http-boot', platform };
  return { kind: 'system' };
}

/** For sentences: "UEFI x64 firmware", "iPXE (BIOS)". */
export function clientName(client: Exclude<BootClient, { readonly kind: 'system' }>): string {
  const platform = platformName(client.platform);
  return client.kind === 'ipxe' ? `iPXE (${platform})` : `${platform} firmware`;
}

/** For sentences: "UEFI x64". */
export function platformName(platform: Platform): string {
  if (platform === 'bios') return 'BIOS';
  if (platform === 'efi-x64') return 'UEFI x64';
  const known: Readonly<Record<number, string>> = {
    [architecture.efiIa32]: 'UEFI IA32',
    [architecture.efiArm64]: 'UEFI ARM64',
    [architecture.httpIa32]: 'UEFI IA32 over HTTP',
    [architecture.httpX64]: 'UEFI x64 over HTTP',
    [architecture.httpArm64]: 'UEFI ARM64 over HTTP',
  };
  return known[platform.other] ?? `architecture ${platform.other}`;
}

/** The Ethernet address of the client; undefined on other hardware. */
export function macOf(message: DhcpMessage): Mac | undefined {
  return message.hardwareType === 1 && message.chaddr.length === 6 ? parseMac(hexOf(message.chaddr, ':')) : undefined;
}

function platformOf(message: DhcpMessage): Platform {
  const [first = architecture.bios] = message.options.architectures ?? [];
  if (first === architecture.bios) return 'bios';
  // RFC 4578 and its errata swap 7 and 9; firmware exists for both readings and means x64.
  if (first === architecture.efiX64 || first === architecture.efiBc) return 'efi-x64';
  return { other: first };
}
