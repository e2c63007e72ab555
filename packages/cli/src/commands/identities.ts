// `ssh-config` and `inventory`: the identity table for other people's tools. They work before the machines exist.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { formatInventory } from '@labwright/core/identity/inventory';
import { formatSshConfig } from '@labwright/core/identity/ssh-config';
import { labIdentities } from '@labwright/core/lab/lab-identities';
import type { LabFile } from '@labwright/core/lab/read-lab';
import { labFolder } from '../folders.ts';
import { locateLabFileAlone, readLabFile } from '../lab-location.ts';
import { exitCodes, type ExitCode, type Program } from '../program.ts';
import { labFileAt } from '../rehearsal/rehearsed-lab.ts';

interface SshFiles {
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

export async function sshConfig(program: Program): Promise<ExitCode> {
  const { labFile, files } = await readSshFiles(program);
  const identities = labIdentities(labFile.lab);
  const options = { user: labFile.lab.ssh.user, domain: labFile.lab.domain, ...files };
  const { json } = program.options;
  program.terminal.out(
    json ? `${JSON.stringify({ identities, ...options }, undefined, 2)}\n` : formatSshConfig(identities, options),
  );
  return exitCodes.done;
}

export async function inventory(program: Program): Promise<ExitCode> {
  const { labFile, files } = await readSshFiles(program);
  const identities = labIdentities(labFile.lab);
  const text = formatInventory(identities, { user: labFile.lab.ssh.user, ...files });
  program.terminal.out(program.options.json ? `${JSON.stringify({ identities }, undefined, 2)}\n` : text);
  return exitCodes.done;
}

/** Keys lie in the lab's state: that of the rehearsal while it is meant. */
async function readSshFiles(program: Program): Promise<{ labFile: LabFile; files: SshFiles }> {
  const location = await locateLabFileAlone(program);
  const labFile = labFileAt(location, await readLabFile(program, location.labFile));
  if (location.kind === 'rehearsal') {
    const { rehearsalFiles } = await import('../rehearsal/lab-in-rehearsal.ts');
    const { sshIdentity, knownHosts } = rehearsalFiles(location.rehearsal.stateDirectory);
    return { labFile, files: { identityFile: sshIdentity, knownHostsFile: knownHosts } };
  }
  const state = labFolder(program.folders, labFile.path, labFile.lab.lab);
  const own = labFile.lab.ssh.identityFile?.replace(/^~(?=\/)/, homedir());
  const files = { identityFile: own ?? join(state, 'ssh_ed25519'), knownHostsFile: join(state, 'known_hosts') };
  return { labFile, files };
}
