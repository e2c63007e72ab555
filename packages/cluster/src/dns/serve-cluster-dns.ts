// Cluster DNS for a cluster without CoreDNS: a name server that follows the cluster's Services, and the objects that lead pods
// to it. For rehearsals; it ends with `serve`, and pods resolve nothing while it is away.
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Log } from '@labwright/core/ports/log';
import type { Clock } from '@labwright/core/ports/clock';
import type { Random } from '@labwright/core/ports/random';
import type { ClusterConnection } from '@labwright/drivers/kubernetes/connection';
import { type AppliedObject, endpointSliceKind, serviceKind } from '@labwright/drivers/kubernetes/kind';
import { makeClusterZone } from './cluster-zone.ts';
import { makeForward, type Resolver } from './forward.ts';
import { type NameServer, startNameServer } from './name-server.ts';

export interface ClusterDnsOptions {
  readonly connection: ClusterConnection;
  readonly cluster: Pick<ClusterBlueprint, 'dnsDomain' | 'pods' | 'services'>;
  /** The lab's own, for all names that are not the cluster's. */
  readonly resolvers: readonly Resolver[];
  readonly address: Ipv4;
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface ClusterDns extends NameServer {
  /** Resolves when every Service of the cluster has its names; until then their queries fail. */
  readonly complete: Promise<void>;
}

/** Returns when it listens; it follows the cluster from then on, however often that is away. */
export async function serveClusterDns(options: ClusterDnsOptions): Promise<ClusterDns> {
  const { connection, cluster, resolvers, address, port, clock, random, log } = options;
  const zone = makeClusterZone({ domain: cluster.dnsDomain, networks: [cluster.pods, cluster.services] });
  const services = Promise.withResolvers<void>();
  const slices = Promise.withResolvers<void>();
  let isComplete = false;
  const complete = Promise.all([services.promise, slices.promise]).then(() => {
    isComplete = true;
  });
  const forward = makeForward({ resolvers, clock, random });
  const server = await startNameServer({ zone, isComplete: () => isComplete, forward, address, port, log });
  const stopping = new AbortController();
  const watches = Promise.all([
    connection.watch(
      serviceKind,
      {},
      { added: zone.putService, changed: zone.putService, gone: zone.removeService, synced: services.resolve },
      stopping.signal,
    ),
    connection.watch(
      endpointSliceKind,
      {},
      {
        added: zone.putSlice,
        changed: (slice, previous) => {
          zone.removeSlice(previous);
          zone.putSlice(slice);
        },
        gone: zone.removeSlice,
        synced: slices.resolve,
      },
      stopping.signal,
    ),
  ]);
  watches.catch((error: unknown) => log.error('cluster DNS no longer follows the cluster', { why: String(error) }));
  return {
    ...server,
    complete,
    async close() {
      stopping.abort(new Error('cluster DNS is closed'));
      await Promise.all([server.close(), watches]);
    },
  };
}

/**
 * What makes the resolver's address of every pod lead to the server: a Service without a selector, and its endpoint. To be
 * applied when the server listens; the cluster's own DNS must not be installed (kubeadm: skip the phase addon/coredns).
 */
export function clusterDnsObjects(options: {
  readonly dnsAddress: Ipv4;
  readonly server: { readonly address: Ipv4; readonly port: number };
  readonly labels?: Readonly<Record<string, string>>;
}): readonly [service: AppliedObject, endpoints: AppliedObject] {
  const { dnsAddress, server, labels = {} } = options;
  // kube-dns is what kubelets, monitoring and people look for, whoever answers.
  const metadata = { name: 'kube-dns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns', ...labels } };
  const ports = (number: number): readonly object[] => [
    { name: 'dns', port: number, protocol: 'UDP' },
    { name: 'dns-tcp', port: number, protocol: 'TCP' },
  ];
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: dnsAddress, ports: ports(53) } },
    {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata,
      subsets: [{ addresses: [{ ip: server.address }], ports: ports(server.port) }],
    },
  ];
}
