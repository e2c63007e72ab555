// iPXE for firmware that has none in its network card's ROM, from Debian's package.
import { join } from 'node:path';
import { ensureDebianRoot, type BuildContext } from './debian-root.ts';

/** In the package's tree, where ipxe.efi in the usual folder is a link to /boot. */
const files = {
  'snponly.efi': 'usr/lib/ipxe/snponly.efi',
  'undionly.kpxe': 'usr/lib/ipxe/undionly.kpxe',
  'ipxe.efi': 'boot/ipxe.efi',
  'ipxe.pxe': 'usr/lib/ipxe/ipxe.pxe',
} as const;

/** Paths by the name that boot clients ask for. Throws what ensureDebianRoot throws. */
export async function ensureBootLoaders(context: BuildContext): Promise<Readonly<Record<string, string>>> {
  const { directory } = await ensureDebianRoot({ name: 'ipxe', packages: ['ipxe'], kind: 'files' }, context);
  return Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(directory, file)]));
}
