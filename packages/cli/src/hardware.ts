// How a lab on hardware is opened: its state folder, its credentials from the lab file's references, its certificates.
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { asLabwrightError, LabwrightError } from '@labwright/core/errors/error';
import { decryptAge } from '@labwright/core/lab/age';
import type { AgeIdentitySource } from '@labwright/core/lab/age-identity';
import { readEncryptedSecrets, type EncryptedSecrets } from '@labwright/core/lab/encrypted-secrets';
import type { LabFile } from '@labwright/core/lab/read-lab';
import type { SecretRef } from '@labwright/core/lab/lab-values';
import { readSecret } from '@labwright/core/lab/read-secret';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import type { ServeOptions } from '@labwright/daemon/serve-options';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import type { TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import { hardwareSocket, labFolder } from './folders.ts';
import type { Program } from './program.ts';

export interface HardwareNeeds {
  readonly boot: boolean;
  readonly waitsForHosts?: boolean;
  /** False for a command that works without Proxmox: then its secret may be missing. */
  readonly needsProxmox?: boolean;
  readonly log: Log;
}

/** Reads the secrets the lab file names. Throws LW1003, and LW0005 for a CA file that cannot be read. */
export async function serveOptionsOnHardware(
  program: Program,
  labFile: LabFile,
  { boot, waitsForHosts = false, needsProxmox = true, log }: HardwareNeeds,
): Promise<ServeOptions> {
  return {
    blueprint: resolveBlueprint(labFile.lab, { rehearsal: false }),
    labDigest: labFile.digest,
    ...(needsProxmox ? await readAccess(program, labFile) : await tryAccess(program, labFile)),
    ...(await readRouterLogin(program, labFile, log)),
    expect: 'hardware',
    stateDirectory: labFolder(program.folders, labFile.path, labFile.lab.lab),
    cacheDirectory: program.folders.cache,
    socket: hardwareSocket(program.folders, labFile),
    clusterKeys: {
      file: join(labFile.directory, `${labFile.lab.lab}-cluster-keys.age`),
      identity: findIdentity(program, labFile),
      alsoOpened: [resolve(labFile.directory, labFile.lab.secrets.file)],
    },
    serviceSources: {
      directory: labFile.directory,
      environment: program.environment,
      readSecret: async (reference, path) => await readLabSecret(program, labFile, reference, path, program.signal),
    },
    boot,
    waitsForHosts,
    clock: program.clock,
    random: program.random,
    log,
  };
}

type Access = Pick<ServeOptions, 'credentials' | 'tls'>;

async function readAccess(program: Program, labFile: LabFile): Promise<Access> {
  const { tls } = labFile.lab.proxmox;
  return {
    credentials: await readCredentials(program, labFile),
    ...(tls === 'pinned' ? {} : { tls: await readCaPolicy(labFile.directory, tls.ca) }),
  };
}

/** Whoever asks Proxmox without it is told why there is none. */
async function tryAccess(program: Program, labFile: LabFile): Promise<Access> {
  try {
    return await readAccess(program, labFile);
  } catch (error) {
    program.interrupt.throwIfAborted();
    return { credentials: { kind: 'none', why: asLabwrightError(error) } };
  }
}

/** The login that the lab file refers to. Throws LW1003. */
export async function readCredentials(program: Program, labFile: LabFile): Promise<Credentials> {
  const { proxmox } = labFile.lab;
  if (proxmox.token !== undefined) {
    return parseToken(await readLabSecret(program, labFile, proxmox.token, 'proxmox.token', program.interrupt));
  }
  if (proxmox.user !== undefined && proxmox.password !== undefined) {
    const { interrupt } = program;
    const password = await readLabSecret(program, labFile, proxmox.password, 'proxmox.password', interrupt);
    return { kind: 'ticket', user: proxmox.user, password };
  }
  throw new LabwrightError('LW1003', {
    what: 'the lab file names no login for Proxmox',
    where: { 'lab file': labFile.path },
    fix: ['proxmox: { token: { env: PROXMOX_TOKEN } }'],
  });
}

/**
 * Nothing for a lab without a router, or without a password for it. Also of a router of which nothing is managed (any more), so
 * that what is left of ours is found there; but who manages nothing need not have the secret at hand. Throws LW1003.
 */
export async function readRouterLogin(
  program: Program,
  labFile: LabFile,
  log: Log,
): Promise<Pick<ServeOptions, 'routerLogin'>> {
  const { router } = labFile.lab;
  if (router?.password === undefined) return {};
  const { user } = router;
  try {
    const reference = router.password;
    const read = async (signal: AbortSignal): Promise<Secret> =>
      await readLabSecret(program, labFile, reference, 'router.password', signal);
    const password = await read(program.interrupt);
    return { routerLogin: { user, password, readPassword: async () => await read(program.signal) } };
  } catch (error) {
    if (router.manage.length > 0 || !(error instanceof LabwrightError) || error.code !== 'LW1003') throw error;
    log.info('the router is not looked at: nothing of it is managed, and its password cannot be read', {
      router: router.name,
      why: error.why ?? error.message,
    });
    return {};
  }
}

/** "USER@REALM!TOKENID=UUID", as Proxmox shows it once. */
function parseToken(secret: Secret): Credentials {
  const match = /^([^\s=!@]+@[^\s=!@]+![^\s=!]+)=(\S+)$/.exec(secret.reveal());
  const [, id, value] = match ?? [];
  if (id !== undefined && value !== undefined) return { kind: 'token', id, secret: new Secret(value) };
  throw new LabwrightError('LW1003', {
    what: 'the secret proxmox.token is not an API token',
    why: 'a token is written USER@REALM!TOKENID=UUID',
    fix: ['pveum user token add labwright@pve cli --privsep 0   shows both parts, once'],
  });
}

/**
 * Any secret of the lab file, as it is now. The encrypted file is opened for each one that is in it: a service that runs for
 * months gives the value of today, and what is kept elsewhere needs no identity. Throws LW1003.
 */
export async function readLabSecret(
  program: Program,
  labFile: LabFile,
  reference: SecretRef,
  path: string,
  signal: AbortSignal,
): Promise<Secret> {
  const { environment } = program;
  const { directory } = labFile;
  const encrypted = reference.age === undefined ? {} : { encrypted: await openEncrypted(program, labFile, signal) };
  return await readSecret(reference, path, { environment, directory, ...encrypted }, signal);
}

async function openEncrypted(program: Program, labFile: LabFile, signal: AbortSignal): Promise<EncryptedSecrets> {
  const { secrets } = labFile.lab;
  const identity = findIdentity(program, labFile);
  if (identity.kind === 'none') {
    throw new LabwrightError('LW1003', {
      what: 'nothing opens the encrypted secrets file',
      where: { file: secrets.file },
      why: 'the lab file names no identity, and there is no systemd credential labwright-age',
      fix: ['secrets: { identityFile: PATH }', 'LoadCredential=labwright-age:PATH in the systemd unit'],
    });
  }
  const files = { file: resolve(labFile.directory, secrets.file), identityFile: identity.path };
  return await readEncryptedSecrets(files, decryptAge, signal);
}

/** The lab file's, which may be made, or else the one that systemd hands on. "~/" is the home of whoever runs this. */
function findIdentity(program: Program, { lab, directory }: LabFile): AgeIdentitySource {
  const { identityFile } = lab.secrets;
  if (identityFile !== undefined) {
    const path = identityFile.startsWith('~/')
      ? join(homedir(), identityFile.slice(2))
      : resolve(directory, identityFile);
    return { kind: 'file', path, isMadeWhenMissing: true };
  }
  const credentials = program.environment['CREDENTIALS_DIRECTORY'];
  if (credentials === undefined) return { kind: 'none' };
  return { kind: 'file', path: join(credentials, 'labwright-age'), isMadeWhenMissing: false };
}

/** Throws LW0005. */
export async function readCaPolicy(directory: string, file: string): Promise<TlsPolicy> {
  const path = resolve(directory, file);
  try {
    return { kind: 'ca', pem: await readFile(path, 'utf8') };
  } catch (cause) {
    throw new LabwrightError('LW0005', {
      what: 'the certificate authority of Proxmox could not be read',
      where: { file: path, 'lab file': 'proxmox.tls.ca' },
      why: cause instanceof Error ? cause.message : String(cause),
      fix: ['copy /etc/pve/pve-root-ca.pem of a host there', 'or proxmox: { tls: pinned }'],
      cause,
    });
  }
}
