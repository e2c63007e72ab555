// How `serve` is set up in a rehearsal: everything it needs lies in the rehearsal's state.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { exists } from '@labwright/core/lab/age-identity';
import type { LabFile } from '@labwright/core/lab/read-lab';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import type { ServeOptions } from '@labwright/daemon/serve-options';
import type { Program } from '../program.ts';
import { rehearsalFiles, rehearsalTokenId } from './lab-in-rehearsal.ts';
import { serveSocket } from './record.ts';
import { readRehearsedSecret } from './rehearsed-secret.ts';

export async function serveOptionsInRehearsal(
  program: Program,
  { blueprint, labFile }: { readonly blueprint: Blueprint; readonly labFile: LabFile },
  stateDirectory: string,
  log: Log,
): Promise<ServeOptions> {
  const files = rehearsalFiles(stateDirectory);
  const secret = new Secret((await readFile(files.proxmoxSecret, 'utf8')).trim());
  return {
    blueprint,
    labDigest: labFile.digest,
    credentials: { kind: 'token', id: rehearsalTokenId, secret },
    ...(await readRouterLogin(labFile, stateDirectory)),
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
      directory: labFile.directory,
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

/** A rehearsal has a router to log in to where the lab file had it managed when the rehearsal was started. */
async function readRouterLogin(
  { lab: { router } }: LabFile,
  stateDirectory: string,
): Promise<Pick<ServeOptions, 'routerLogin'>> {
  if (router?.password === undefined || !(await exists(rehearsalFiles(stateDirectory).router))) return {};
  const { user, password: reference } = router;
  const readPassword = async (): Promise<Secret> => await readRehearsedSecret(stateDirectory, reference);
  return { routerLogin: { user, password: await readPassword(), readPassword } };
}
