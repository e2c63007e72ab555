// How `serve` is set up in a rehearsal: everything it needs lies in the rehearsal's state.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import type { ServeOptions } from '@labwright/daemon/serve';
import type { Program } from '../program.ts';
import { rehearsalFiles, rehearsalTokenId } from './lab-in-rehearsal.ts';
import { serveSocket } from './record.ts';
import { readRehearsedSecret } from './rehearsed-secret.ts';

export async function serveOptionsInRehearsal(
  program: Program,
  { blueprint, labDirectory }: { readonly blueprint: Blueprint; readonly labDirectory: string },
  stateDirectory: string,
  log: Log,
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
    clusterKeys: {
      file: join(files.serveState, 'cluster-keys.age'),
      identity: { kind: 'file', path: join(files.serveState, 'identity'), isMadeWhenMissing: true },
      alsoOpened: [],
    },
    serviceSources: {
      directory: labDirectory,
      environment: program.environment,
      readSecret: async (reference) => await readRehearsedSecret(stateDirectory, reference),
    },
    boot: true,
    waitsForHosts: true,
    clock: program.clock,
    random: program.random,
    log,
  };
}
