// Which file a booting client is told to fetch. Pure: the same client in the same session gets the same answer.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { platformName, type BootClient } from './boot-client.ts';

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
      return none(`${platformName(client.platform)} asks for HTTP boot, which is not served yet; use PXE (IPv4)`);
    case 'ipxe':
      if (client.http) return { kind: 'script', file: `${bootUrl(place)}/boot.ipxe` };
      return chainFullIpxe(client, place);
    case 'pxe':
      if (client.platform === 'bios') return loader('undionly.kpxe', `${bootPath(place.token)}/undionly.kpxe`, place);
      if (client.platform === 'efi-x64') return loader('snponly.efi', `${bootPath(place.token)}/snponly.efi`, place);
      return none(`there is no boot loader for ${platformName(client.platform)}`);
  }
}

// The loader must carry its own network driver: under iPXE, undionly.kpxe finds no UNDI left to use. It gets one chance,
// or two iPXEs without HTTP would load each other for ever.
function chainFullIpxe(client: BootClient & { kind: 'ipxe' }, place: BootPlace): BootChoice {
  if (place.chained) return none('iPXE came back without HTTP after it was given a full iPXE');
  const name = client.platform === 'efi-x64' ? 'ipxe.efi' : client.platform === 'bios' ? 'ipxe.pxe' : undefined;
  if (name === undefined) return none(`there is no iPXE for ${platformName(client.platform)}`);
  return loader(name, `tftp://${place.address}/${bootPath(place.token)}/${name}`, place);
}

function loader(name: string, file: string, place: BootPlace): BootChoice {
  if (!place.loaders.has(name)) return none(`the boot loader ${name} is not installed`);
  return { kind: 'loader', file, loader: name };
}

function none(reason: string): BootChoice {
  return { kind: 'none', reason };
}
