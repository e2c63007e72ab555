// `ssh-config` and `inventory`: the identity table for other people's tools. They work before the machines exist.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { formatInventory } from '@labwright/core/identity/inventory';
import { formatSshConfig } from '@labwright/core/identity/ssh-config';
import { labIdentities } from '@labwright/core/lab/lab-identities';
import { readLab, type LabFile } from '@labwright/core/lab/read-lab';
import type { Command } from '../command.ts';
import { labFolder } from '../folders.ts';
import { locateLab } from '../lab-location.ts';
import { exitCodes, type Program } from '../program.ts';
import { rehearsalFiles } from '../rehearsal/lab-in-rehearsal.ts';

interface SshFiles {
  readonly identityFile: string;
  readonly knownHostsFile: string;
}

export const identityCommands: readonly Command[] = [
  {
    name: 'ssh-config',
    summary: 'configuration for ssh: every machine by its name',
    examples: ['labwright ssh-config > ~/.ssh/labwright.conf   and in ~/.ssh/config: Include labwright.conf'],
    run: async (program) => {
      const { labFile, files } = await readSshFiles(program);
      const identities = labIdentities(labFile.lab);
      const options = { user: labFile.lab.ssh.user, domain: labFile.lab.domain, ...files };
      const { json } = program.options;
      program.terminal.out(
        json ? `${JSON.stringify({ identities, ...options }, undefined, 2)}\n` : formatSshConfig(identities, options),
      );
      return exitCodes.done;
    },
  },
  {
    name: 'inventory',
    summary: 'Ansible inventory, a group for each pool',
    examples: ['labwright inventory > inventory.yaml'],
    run: async (program) => {
      const { labFile, files } = await readSshFiles(program);
      const identities = labIdentities(labFile.lab);
      const text = formatInventory(identities, { user: labFile.lab.ssh.user, ...files });
      program.terminal.out(program.options.json ? `${JSON.stringify({ identities }, undefined, 2)}\n` : text);
      return exitCodes.done;
    },
  },
];

/** Keys lie in the lab's state: that of the rehearsal while one runs here. */
async function readSshFiles(program: Program): Promise<{ labFile: LabFile; files: SshFiles }> {
  const location = await locateLab(program);
  const labFile = await readLab(location.labFile);
  if (location.kind === 'rehearsal') {
    const { sshIdentity, knownHosts } = rehearsalFiles(location.rehearsal.stateDirectory);
    return { labFile, files: { identityFile: sshIdentity, knownHostsFile: knownHosts } };
  }
  const state = labFolder(program.folders, labFile.path, labFile.lab.lab);
  const own = labFile.lab.ssh.identityFile?.replace(/^~(?=\/)/, homedir());
  const files = { identityFile: own ?? join(state, 'ssh_ed25519'), knownHostsFile: join(state, 'known_hosts') };
  return { labFile, files };
}
