// Renders the identity table as a configuration for ssh, so that people reach every machine by its name.
import type { Identity } from './identity.ts';

export interface SshConfigOptions {
  readonly user: string;
  /** Private key to offer; ssh's own choice when absent. */
  readonly identityFile?: string;
  /** Where the machines' host keys are recorded. */
  readonly knownHostsFile: string;
  /** Names with the domain work as well: node101.home.arpa. */
  readonly domain: string;
}

/** To be included from ~/.ssh/config, or used with `ssh -F`. Machines that do not exist yet are in it too. */
export function formatSshConfig(identities: readonly Identity[], options: SshConfigOptions): string {
  if (identities.length === 0) return '# no machines in the lab file\n';
  const hosts = identities.map(
    ({ name, address }) => `Host ${name} ${name}.${options.domain}\n  HostName ${address}\n  HostKeyAlias ${name}\n`,
  );
  // Exact names: a pattern such as node* would take over other people's hosts in the file that includes this one.
  const common = [
    `Host ${identities.flatMap(({ name }) => [name, `${name}.${options.domain}`]).join(' ')}`,
    `  User ${options.user}`,
    ...(options.identityFile === undefined
      ? []
      : [`  IdentityFile ${quote(options.identityFile)}`, '  IdentitiesOnly yes']),
    `  UserKnownHostsFile ${quote(options.knownHostsFile)}`,
    '  StrictHostKeyChecking yes',
  ];
  return `${hosts.join('\n')}\n${common.join('\n')}\n`;
}

/** ssh_config(5): an argument with spaces stands in double quotes; there is no escape for a quote inside. */
function quote(path: string): string {
  return /[\s#]/.test(path) ? `"${path}"` : path;
}
