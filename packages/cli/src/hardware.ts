// How a lab on hardware is opened: its state folder, its credentials from the lab file's references, its certificates.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { resolveBlueprint } from '@labwright/core/blueprint/resolve-blueprint';
import { LabwrightError } from '@labwright/core/errors/error';
import { decryptAge } from '@labwright/core/lab/age';
import { readEncryptedSecrets, type EncryptedSecrets } from '@labwright/core/lab/encrypted-secrets';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { readSecret } from '@labwright/core/lab/read-secret';
import type { Log } from '@labwright/core/ports/log';
import { Secret } from '@labwright/core/ports/secret';
import type { ServeOptions } from '@labwright/daemon/serve';
import type { Credentials } from '@labwright/drivers/proxmox/credentials';
import type { TlsPolicy } from '@labwright/drivers/proxmox/tls-pin';
import { hardwareSocket, labFolder } from './folders.ts';
import type { Program } from './program.ts';

/** Reads the secrets the lab file names. Throws LW1003, and LW0005 for a CA file that cannot be read. */
export async function serveOptionsOnHardware(
  program: Program,
  labFile: LabFile,
  { boot, waitsForHosts = false, log }: { readonly boot: boolean; readonly waitsForHosts?: boolean; readonly log: Log },
): Promise<ServeOptions> {
  const { tls } = labFile.lab.proxmox;
  return {
    blueprint: resolveBlueprint(labFile.lab, { rehearsal: false }),
    credentials: await readCredentials(program, labFile),
    expect: 'hardware',
    ...(tls === 'pinned' ? {} : { tls: await readCaPolicy(labFile.directory, tls.ca) }),
    stateDirectory: labFolder(program.folders, labFile.path, labFile.lab.lab),
    cacheDirectory: program.folders.cache,
    socket: hardwareSocket(program.folders, labFile),
    boot,
    waitsForHosts,
    clock: program.clock,
    random: program.random,
    log,
  };
}

/** The login that the lab file refers to. Throws LW1003. */
export async function readCredentials(program: Program, labFile: LabFile): Promise<Credentials> {
  const { proxmox } = labFile.lab;
  const encrypted = await openEncryptedSecrets(program, labFile);
  const sources = {
    environment: program.environment,
    directory: labFile.directory,
    ...(encrypted === undefined ? {} : { encrypted }),
  };
  if (proxmox.token !== undefined) {
    return parseToken(await readSecret(proxmox.token, 'proxmox.token', sources, program.interrupt));
  }
  if (proxmox.user !== undefined && proxmox.password !== undefined) {
    const password = await readSecret(proxmox.password, 'proxmox.password', sources, program.interrupt);
    return { kind: 'ticket', user: proxmox.user, password };
  }
  throw new LabwrightError('LW1003', {
    what: 'the lab file names no login for Proxmox',
    where: { 'lab file': labFile.path },
    fix: ['proxmox: { token: { env: PROXMOX_TOKEN } }'],
  });
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

async function openEncryptedSecrets(program: Program, labFile: LabFile): Promise<EncryptedSecrets | undefined> {
  const { secrets, proxmox } = labFile.lab;
  const isNeeded = [proxmox.token, proxmox.password].some((reference) => reference?.age !== undefined);
  if (!isNeeded) return undefined;
  const credentials = program.environment['CREDENTIALS_DIRECTORY'];
  const identity = secrets.identityFile ?? (credentials === undefined ? undefined : join(credentials, 'labwright-age'));
  if (identity === undefined) {
    throw new LabwrightError('LW1003', {
      what: 'nothing opens the encrypted secrets file',
      where: { file: secrets.file },
      why: 'the lab file names no identity, and there is no systemd credential labwright-age',
      fix: ['secrets: { identityFile: PATH }', 'LoadCredential=labwright-age:PATH in the systemd unit'],
    });
  }
  const files = { file: resolve(labFile.directory, secrets.file), identityFile: resolve(labFile.directory, identity) };
  return await readEncryptedSecrets(files, decryptAge, program.interrupt);
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
