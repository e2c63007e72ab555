// What a member of a cluster is installed with on top of its image: the network of its pods, where that is ours to make. Holds no
// secret: it goes through Ignition, which anyone with the boot's token may read.
import type { ClusterBlueprint, MachineBlueprint } from '@labwright/core/blueprint/blueprint';
import type { Ipv4 } from '@labwright/core/addresses/ipv4';
import { readGuestFile } from './kubeadm-job.ts';

export interface NodeProvision {
  readonly files: readonly { readonly path: string; readonly mode: number; readonly content: string }[];
  readonly units: readonly { readonly name: string; readonly enabled?: boolean; readonly content: string }[];
  /** For its network card: the endpoint's, when this machine holds it. */
  readonly furtherAddresses: readonly Ipv4[];
}

const nothing: NodeProvision = { files: [], units: [], furtherAddresses: [] };

/** Nothing for a machine that is not in the cluster. */
export function makeNodeProvision(
  cluster: ClusterBlueprint | undefined,
  machine: Pick<MachineBlueprint, 'name' | 'role'>,
): NodeProvision {
  if (cluster === undefined || machine.role === undefined) return nothing;
  const furtherAddresses = cluster.endpoint.holder === machine.name ? [cluster.endpoint.address] : [];
  return cluster.podNetwork === 'routed' ? { ...routed(cluster), furtherAddresses } : { ...nothing, furtherAddresses };
}

function routed({ pods }: ClusterBlueprint): Pick<NodeProvision, 'files' | 'units'> {
  const content = readGuestFile('routes').replace('pods=@PODS@', `pods=${pods}`);
  return {
    files: [
      { path: '/usr/local/lib/labwright/routes', mode: 0o755, content },
      { path: '/usr/local/lib/labwright/pods.conflist', mode: 0o644, content: readGuestFile('pods.conflist') },
    ],
    units: [
      { name: 'labwright-routes.path', enabled: true, content: readGuestFile('labwright-routes.path') },
      // Started by the path. (Not `enabled: false`: Ignition would ask systemctl for that, which an initramfs does not have.)
      { name: 'labwright-routes.service', content: readGuestFile('labwright-routes.service') },
    ],
  };
}
