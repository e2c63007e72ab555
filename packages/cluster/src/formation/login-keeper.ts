// Labwright's own connection to the cluster: its login is made in memory, lives for hours, and is made anew before it ends.
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import { connectCluster, type ClusterConnection, type ClusterLogin } from '@labwright/drivers/kubernetes/connection';
import { issueClientLogin, ownLogin } from '../pki/logins.ts';
import type { ClusterPki } from '../pki/pki.ts';

export interface LoginKeeper {
  /** The same one as long as its login is good. */
  connect(pki: ClusterPki): Promise<ClusterConnection>;
  /** One of its own for what follows the cluster for as long as this process runs, which may be years. */
  connectLasting(pki: ClusterPki): Promise<ClusterConnection>;
  close(): Promise<void>;
}

export function keepLogin(
  cluster: ClusterBlueprint,
  options: { readonly clock: Clock; readonly log: Log },
): LoginKeeper {
  let current: { readonly connection: Promise<ClusterConnection>; readonly goodUntil: number } | undefined;
  const former: Promise<ClusterConnection>[] = [];
  const goodUntil = (): number => options.clock.now() + ownLogin.validForMs / 2;
  const issue = async (pki: ClusterPki): Promise<ClusterLogin> => {
    const { certificate, privateKey } = await issueClientLogin(pki, ownLogin, options.clock.now());
    const { address, port, name } = cluster.endpoint;
    return { endpoint: { address, port, serverName: name }, ca: pki.ca.certificate, certificate, privateKey };
  };
  const issueLasting = async (pki: ClusterPki): Promise<ClusterLogin> => {
    const renewal = { at: goodUntil(), next: async () => await issueLasting(pki) };
    return { ...(await issue(pki)), renewal };
  };
  return {
    connect: async (pki) => {
      if (current === undefined || options.clock.now() > current.goodUntil) {
        // Watches on the former one go on until it is closed with everything else.
        if (current !== undefined) former.push(current.connection);
        current = { connection: issue(pki).then((login) => connectCluster(login, options)), goodUntil: goodUntil() };
      }
      return await current.connection;
    },
    connectLasting: async (pki) => {
      const opened = issueLasting(pki).then((login) => connectCluster(login, options));
      former.push(opened);
      return await opened;
    },
    close: async () => {
      const all = await Promise.all([...former, ...(current === undefined ? [] : [current.connection])]);
      await Promise.all(all.map((connection) => connection.close()));
    },
  };
}
