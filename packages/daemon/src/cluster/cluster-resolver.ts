// Who resolves names for pods: CoreDNS in the cluster, or, in a rehearsal whose sources have no image of it, a name server of ours
// in this process (docs/fidelity.md names it).
import { isRehearsal, type LabId } from '@labwright/core/addresses/names';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Clock } from '@labwright/core/ports/clock';
import type { Log } from '@labwright/core/ports/log';
import type { Random } from '@labwright/core/ports/random';
import {
  clusterDnsObjects,
  serveClusterDns,
  type ClusterDns as DnsServer,
} from '@labwright/cluster/dns/serve-cluster-dns';
import type { ClusterDns } from '@labwright/cluster/formation/kubeadm-jobs';
import { labLabel, labLabelValue } from '@labwright/cluster/formation/marks';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import type { AppliedObject } from '@labwright/drivers/kubernetes/kind';
import type { BuildContext } from '@labwright/images/debian-root';
import { ensureCoreDns } from '@labwright/images/kubernetes/cluster-images';
import { readImageNames } from '@labwright/images/kubernetes/image-names';
import { ImageStore } from '@labwright/images/kubernetes/image-store';
import { ensureKubernetesRelease, type KubernetesRelease } from '@labwright/images/kubernetes/release';

export interface ClusterResolverOptions {
  readonly lab: LabId;
  readonly cluster: ClusterBlueprint;
  /** Ours in the lab's network: where pods find the name server. */
  readonly address: Ipv4;
  readonly resolvers: readonly Ipv4[];
  readonly cacheDirectory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface ClusterResolver {
  choose(signal: AbortSignal): Promise<ClusterDns>;
  /** As chosen, and ready to be put into the cluster. LW4004 where that is CoreDNS and nobody has its image. */
  prepare(signal: AbortSignal): Promise<ClusterDns>;
  /** Where the choice is 'serve': listens from now on, and gives the objects that lead pods here. Nothing for CoreDNS. */
  ensure(dns: ClusterDns, connect: () => Promise<ClusterConnection>): Promise<readonly AppliedObject[]>;
  close(): Promise<void>;
}

/** Not 53, which people's own resolvers have; the cluster's Service leads there from 53. */
const port = 10_053;

export function makeClusterResolver(options: ClusterResolverOptions): ClusterResolver {
  const { lab, cluster, address, resolvers, clock, random, log } = options;
  let server: Promise<DnsServer> | undefined;
  const listen = async (connection: ClusterConnection): Promise<DnsServer> =>
    await serveClusterDns({
      connection,
      cluster,
      resolvers: resolvers.map((resolver) => ({ address: resolver })),
      address,
      port,
      clock,
      random,
      log,
    });
  const choose = async (signal: AbortSignal): Promise<ClusterDns> => {
    // A real cluster does not rest on this process.
    if (!isRehearsal(lab)) return 'coredns';
    return (await hasCoreDns(options, signal)) ? 'coredns' : 'serve';
  };
  return {
    choose,
    prepare: async (signal) => {
      if (isRehearsal(lab)) return await choose(signal);
      const context = openContext(options, signal);
      await ensureCoreDns(await findRelease(options, context), context);
      return 'coredns';
    },
    ensure: async (dns, connect) => {
      if (dns === 'coredns') return [];
      server ??= connect().then(listen);
      await server;
      const labels = { [labLabel]: labLabelValue(lab) };
      return clusterDnsObjects({ dnsAddress: cluster.dnsAddress, server: { address, port }, labels });
    },
    close: async () => await (await server)?.close(),
  };
}

/** Whether the image that this release's kubeadm wants is in our store, out of which machines were filled. */
async function hasCoreDns(options: ClusterResolverOptions, signal: AbortSignal): Promise<boolean> {
  const { binaries, version } = await findRelease(options, openContext(options, signal));
  const { coreDns } = await readImageNames(binaries.kubeadm, version, signal);
  return (await (await ImageStore.open(options.cacheDirectory)).findManifest(coreDns)) !== undefined;
}

async function findRelease({ cluster }: ClusterResolverOptions, context: BuildContext): Promise<KubernetesRelease> {
  const { version, mirror } = cluster;
  return await ensureKubernetesRelease({ version, ...(mirror === undefined ? {} : { mirror }) }, context);
}

function openContext({ cacheDirectory, log }: ClusterResolverOptions, signal: AbortSignal): BuildContext {
  return { cacheDir: cacheDirectory, signal, onProgress: (message) => log.info('image', { message }) };
}
