// How `serve` is set up in a rehearsal: everything it needs lies in the rehearsal's state.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { Secret } from '@labwright/core/ports/secret';
import type { ServeOptions } from '@labwright/daemon/serve';
import { makeLineLog } from '../line-log.ts';
import type { Program } from '../program.ts';
import { rehearsalFiles, rehearsalTokenId } from './lab-in-rehearsal.ts';
import { serveSocket } from './record.ts';

// Of Debian's package ipxe, where ipxe.efi in the usual folder is a link to /boot.
const loaderFiles = {
  'snponly.efi': 'usr/lib/ipxe/snponly.efi',
  'undionly.kpxe': 'usr/lib/ipxe/undionly.kpxe',
  'ipxe.efi': 'boot/ipxe.efi',
  'ipxe.pxe': 'usr/lib/ipxe/ipxe.pxe',
} as const;

export async function serveOptionsInRehearsal(
  program: Program,
  blueprint: Blueprint,
  stateDirectory: string,
  toolsRoot: string,
): Promise<ServeOptions> {
  const files = rehearsalFiles(stateDirectory);
  const secret = new Secret((await readFile(files.proxmoxSecret, 'utf8')).trim());
  return {
    blueprint,
    credentials: { kind: 'token', id: rehearsalTokenId, secret },
    expect: 'rehearsal',
    stateDirectory: files.serveState,
    cacheDirectory: program.folders.cache,
    socket: serveSocket(stateDirectory),
    loaders: Object.fromEntries(Object.entries(loaderFiles).map(([name, file]) => [name, join(toolsRoot, file)])),
    clock: program.clock,
    random: program.random,
    log: makeLineLog(program.terminal, program.clock, program.options.debug ? 'debug' : 'info'),
  };
}
