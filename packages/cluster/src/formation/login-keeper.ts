// Labwright's own connection to the cluster: its login is made in memory, lives for hours, and is made anew before it ends.
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { connectCluster, type ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { issueClientLogin, ownLogin } from '../pki/logins.ts';
import type { ClusterPki } from '../pki/pki.ts';

/** Longer than a process is expected to run; it is in its memory only. */
const lastingMs = 90 * 24 * 3600_000;

export interface LoginKeeper {
  /** The same one as long as its login is good. */
  connect(pki: ClusterPki): Promise<ClusterConnection>;
  /** One of its own for what follows the cluster for as long as this process runs. */
  connectLasting(pki: ClusterPki): Promise<ClusterConnection>;
  close(): Promise<void>;
}

export function keepLogin(
  cluster: ClusterBlueprint,
  options: { readonly clock: Clock; readonly log: Log },
): LoginKeeper {
  let current: { readonly connection: Promise<ClusterConnection>; readonly goodUntil: number } | undefined;
  const former: Promise<ClusterConnection>[] = [];
  const open = async (pki: ClusterPki, login = ownLogin): Promise<ClusterConnection> => {
    const { certificate, privateKey } = await issueClientLogin(pki, login, options.clock.now());
    const { address, port, name } = cluster.endpoint;
    return connectCluster(
      { endpoint: { address, port, serverName: name }, ca: pki.ca.certificate, certificate, privateKey },
      options,
    );
  };
  return {
    connect: async (pki) => {
      if (current === undefined || options.clock.now() > current.goodUntil) {
        // Watches on the former one go on until it is closed with everything else.
        if (current !== undefined) former.push(current.connection);
        current = { connection: open(pki), goodUntil: options.clock.now() + ownLogin.validForMs / 2 };
      }
      return await current.connection;
    },
    connectLasting: async (pki) => {
      const opened = open(pki, { ...ownLogin, validForMs: lastingMs });
      former.push(opened);
      return await opened;
    },
    close: async () => {
      const all = await Promise.all([...former, ...(current === undefined ? [] : [current.connection])]);
      await Promise.all(all.map((connection) => connection.close()));
    },
  };
}
