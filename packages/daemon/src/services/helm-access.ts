// The way to helm: its program looked for each time it is needed, and a login to the cluster that lives for hours.
import type { Blueprint, ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import { Secret } from '@labwright/core/ports/secret';
import { formatKubeconfig } from '@labwright/cluster/pki/kubeconfig';
import { issueClientLogin, ownLogin } from '@labwright/cluster/pki/logins';
import type { PkiVault } from '@labwright/cluster/pki/pki-vault';
import { connectHelm, type Helm } from '@labwright/drivers/helm/helm';
import { ensureHelm } from '@labwright/drivers/helm/helm-program';
import type { ServiceSources } from './service-sources.ts';

export interface HelmAccess {
  readonly blueprint: Blueprint;
  readonly cluster: ClusterBlueprint;
  readonly vault: Pick<PkiVault, 'read'>;
  readonly sources: Pick<ServiceSources, 'directory' | 'environment'>;
  readonly cacheDirectory: string;
  /** Private (0700): for the time of a run it has a kubeconfig in it. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Throws LW7001 and LW4001 when there is no helm to be had. Before the cluster is formed it fetches charts, and can log in nowhere. */
export async function openHelm(access: HelmAccess, signal: AbortSignal): Promise<Helm> {
  const { blueprint, cluster, sources, cacheDirectory, random, log } = access;
  const helmMirror = blueprint.charts?.helmMirror;
  const program = await ensureHelm(cluster.version, {
    ...sources,
    ...(helmMirror === undefined ? {} : { mirror: helmMirror }),
    cacheDirectory,
    random,
    signal,
    onProgress: (message) => log.info('helm', { message }),
  });
  const kubeconfig = await makeKubeconfig(access, signal);
  return connectHelm({
    program,
    kubeconfig,
    temporaryDirectory: access.stateDirectory,
    environment: sources.environment,
  });
}

/** With a login of Labwright's own; without keys of the cluster only where it will be. */
export async function makeKubeconfig(
  { blueprint, cluster, vault, clock }: Pick<HelmAccess, 'blueprint' | 'cluster' | 'vault' | 'clock'>,
  signal: AbortSignal,
): Promise<Secret> {
  const pki = await vault.read(signal);
  const { address, port, name } = cluster.endpoint;
  const place = { cluster: blueprint.lab, server: `https://${address}:${port}`, tlsServerName: name };
  if (pki === undefined) return new Secret(formatKubeconfig({ ...place, ca: '' }));
  const login = await issueClientLogin(pki, ownLogin, clock.now());
  const user = { name: ownLogin.user, ...login };
  return new Secret(formatKubeconfig({ ...place, ca: pki.ca.certificate, user }));
}
