// The known_hosts file of a lab: which machine has which host key, for people's ssh.
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blueprint } from '@labwright/core/blueprint/blueprint';
import { allMachines } from '@labwright/machines/replacements';
import type { Store } from './store/store.ts';

/** Gives what writes it anew as a whole whenever a machine said its key. */
export function makeKnownHostsWriter(blueprint: Blueprint, store: Store, directory: string): () => Promise<void> {
  const path = join(directory, 'known_hosts');
  let turn = Promise.resolve();
  const write = async (): Promise<void> => {
    const before = await readKnownHosts(path);
    const lines = allMachines(blueprint).flatMap(({ name, address }) => {
      const report = store.findReport(name);
      // Without its report (a store that was lost) what the file says of a machine stays, until it phones home again.
      const hostKey = report?.sshHostKey ?? before.get(name);
      return hostKey === undefined ? [] : [`${name},${name}.${blueprint.domain},${address} ${hostKey}\n`];
    });
    await writeFile(`${path}.new`, lines.join(''));
    await chmod(`${path}.new`, 0o644);
    await rename(`${path}.new`, path);
  };
  return async () => {
    turn = turn.then(write, write);
    await turn;
  };
}

/** Host keys by machine, as this file was written before; nothing when it is not there. */
async function readKnownHosts(path: string): Promise<ReadonlyMap<string, string>> {
  try {
    const lines = (await readFile(path, 'utf8')).split('\n');
    return new Map(lines.flatMap(parseKnownHost));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw error;
  }
}

function parseKnownHost(line: string): readonly (readonly [string, string])[] {
  const [, name, hostKey] = /^([^,\s]+),\S+ (.+)$/.exec(line) ?? [];
  return name === undefined || hostKey === undefined ? [] : [[name, hostKey]];
}
