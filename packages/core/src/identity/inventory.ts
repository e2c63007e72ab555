// Renders the identity table as an Ansible inventory (YAML), one group a pool.
import { stringify } from 'yaml';
import type { Identity } from './identity.ts';

export interface InventoryOptions {
  readonly user: string;
  readonly identityFile?: string;
  readonly knownHostsFile: string;
}

/** Machines that do not exist yet are in it too. */
export function formatInventory(identities: readonly Identity[], options: InventoryOptions): string {
  const pools = Map.groupBy(identities, ({ pool }) => pool);
  const children = [...pools].map(([pool, members]) => [
    groupName(pool),
    { hosts: Object.fromEntries(members.map((member) => [member.name, hostVariables(member)])) },
  ]);
  const inventory = {
    all: {
      children: Object.fromEntries(children) as Record<string, unknown>,
      vars: {
        ansible_user: options.user,
        ...(options.identityFile === undefined ? {} : { ansible_ssh_private_key_file: options.identityFile }),
        ansible_ssh_common_args: `-o UserKnownHostsFile=${shellWord(options.knownHostsFile)} -o StrictHostKeyChecking=yes`,
      },
    },
  };
  return stringify(inventory, { lineWidth: 0 });
}

function hostVariables({ address, vmId, mac }: Identity): Record<string, string | number> {
  return { ansible_host: address, labwright_vm_id: vmId, labwright_mac: mac };
}

/** Ansible's group names are identifiers, and two of them are its own. */
function groupName(pool: string): string {
  const text = pool.replaceAll('-', '_');
  return /^[0-9]|^(all|ungrouped)$/.test(text) ? `pool_${text}` : text;
}

/** Ansible splits these arguments like a shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}
