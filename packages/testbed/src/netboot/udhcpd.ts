// Busybox's DHCP server in a peer: the other server that our own has to live beside.
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Peer } from '../network/lan.ts';
import { peersRoot } from '../roots.ts';

export interface OtherServer {
  stop(): Promise<void>;
}

export async function startUdhcpd(options: {
  readonly peer: Peer;
  readonly folder: string;
  readonly first: string;
  readonly last: string;
  /** More lines of its configuration: "opt router 10.0.0.1". */
  readonly lines?: readonly string[];
}): Promise<OtherServer> {
  const { peer, folder } = options;
  const configuration = join(folder, `${peer.name}.udhcpd.conf`);
  const leases = join(folder, `${peer.name}.udhcpd.leases`);
  await writeFile(leases, '');
  await writeFile(
    configuration,
    [
      `start ${options.first}`,
      `end ${options.last}`,
      'interface eth0',
      `lease_file ${leases}`,
      'opt subnet 255.255.255.0',
      'opt lease 3600',
      ...(options.lines ?? []),
      '',
    ].join('\n'),
  );
  const child = peer.spawn(['busybox', 'udhcpd', '-f', configuration], { root: await peersRoot(), binds: [folder] });
  const ended = once(child, 'exit');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.includes('started')) resolve();
    });
  }
  ended.then(() => reject(new Error(`udhcpd ended: ${output}`)), reject);
  await promise;
  return {
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
