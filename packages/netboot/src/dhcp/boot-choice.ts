// Which file a booting client is told to fetch. Pure: the same client in the same session gets the same answer.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { staticBootFiles } from '@labwright/core/blueprint/static-boot-files';
import { platformName, type BootClient, type Platform } from './boot-client.ts';

export type BootChoice =
  /** Over HTTP, straight to the script. */
  | { readonly kind: 'script'; readonly file: string }
  /** Over TFTP, a loader that comes back as iPXE. */
  | { readonly kind: 'loader'; readonly file: string; readonly loader: string }
  | { readonly kind: 'none'; readonly reason: string };

export interface BootPlace {
  readonly address: Ipv4;
  readonly httpPort: number;
  readonly token: string;
  /** Names of the loaders we have. */
  readonly loaders: ReadonlySet<string>;
  /** Whether a full iPXE was fetched in this session already. */
  readonly chained: boolean;
}

/** iPXE with every feature and its own network drivers. */
export const fullIpxe: ReadonlySet<string> = new Set(['ipxe.efi', 'ipxe.pxe']);

const bootPath = (token: string): string => `b/${token}`;

export function bootUrl(place: { readonly address: Ipv4; readonly httpPort: number; readonly token: string }): string {
  const port = place.httpPort === 80 ? '' : `:${place.httpPort}`;
  return `http://${place.address}${port}/${bootPath(place.token)}`;
}

/** The file for a client; undefined for one that does not boot. */
export function chooseBootFile(client: BootClient, place: BootPlace): BootChoice | undefined {
  switch (client.kind) {
    case 'system':
      return undefined;
    case 'http-boot':
      return httpBootUnserved(client.platform);
    case 'ipxe':
      if (client.http) return { kind: 'script', file: `${bootUrl(place)}/boot.ipxe` };
      return chainFullIpxe(client, place);
    case 'pxe':
      return chooseLoader(client.platform, place);
  }
}

/**
 * The same where names never change ('router' mode): the answer to a client that asks us for its boot file, as the router would
 * name it.
 */
export function chooseStaticFile(client: BootClient, loaders: ReadonlySet<string>): BootChoice | undefined {
  if (client.kind === 'system') return undefined;
  if (client.kind === 'http-boot') return httpBootUnserved(client.platform);
  const name = loaderOf(client.platform);
  if (name === undefined) return noLoaderFor(client.platform);
  return loader(name, client.platform === 'bios' ? staticBootFiles.bios : staticBootFiles.uefi, { loaders });
}

/** The loader that uses the firmware's own network driver. */
export function loaderOf(platform: Platform): string | undefined {
  if (platform === 'bios') return 'undionly.kpxe';
  return platform === 'efi-x64' ? 'snponly.efi' : undefined;
}

/** An iPXE with every feature and its own network drivers. */
export function fullIpxeOf(platform: Platform): string | undefined {
  if (platform === 'bios') return 'ipxe.pxe';
  return platform === 'efi-x64' ? 'ipxe.efi' : undefined;
}

function chooseLoader(platform: Platform, place: BootPlace): BootChoice {
  const name = loaderOf(platform);
  if (name === undefined) return noLoaderFor(platform);
  return loader(name, `${bootPath(place.token)}/${name}`, place);
}

// The loader must carry its own network driver: under iPXE, undionly.kpxe finds no UNDI left to use. It gets one chance,
// or two iPXEs without HTTP would load each other for ever.
function chainFullIpxe(client: BootClient & { kind: 'ipxe' }, place: BootPlace): BootChoice {
  if (place.chained) return none('iPXE came back without HTTP after it was given a full iPXE');
  const name = fullIpxeOf(client.platform);
  if (name === undefined) return none(`there is no iPXE for ${platformName(client.platform)}`);
  return loader(name, `tftp://${place.address}/${bootPath(place.token)}/${name}`, place);
}

function loader(name: string, file: string, place: Pick<BootPlace, 'loaders'>): BootChoice {
  if (!place.loaders.has(name)) return none(`the boot loader ${name} is not installed`);
  return { kind: 'loader', file, loader: name };
}

function noLoaderFor(platform: Platform): BootChoice {
  return none(`there is no boot loader for ${platformName(platform)}`);
}

function httpBootUnserved(platform: Platform): BootChoice {
  return none(`${platformName(platform)} asks for HTTP boot, which is not served yet; use PXE (IPv4)`);
}

function none(reason: string): BootChoice {
  return { kind: 'none', reason };
}
