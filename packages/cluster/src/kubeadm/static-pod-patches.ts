// Patches of the static pods that kubeadm writes. For slow hosts: more patient liveness and startup probes, and rarer ones for
// readiness. For some versions: what keeps etcd from being started at all. They lie on the machine for good, because kubeadm wants them
// again at every upgrade.
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { stringify } from 'yaml';
import type { PushedFile } from '../pki/control-plane-files.ts';
import { claimsDiskForEtcd } from './api-version.ts';
import { patchesFolder } from './kubeadm-config.ts';
import { slowHostSettings } from './slow-host.ts';

const targets = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

export function hasPatches({ slow, version }: Pick<ClusterBlueprint, 'slow' | 'version'>): boolean {
  return slow || claimsDiskForEtcd(version);
}

/** One for each pod that needs one. */
export function makeStaticPodPatches(cluster: ClusterBlueprint): readonly PushedFile[] {
  return targets.flatMap((target) => {
    const patch = {
      ...(cluster.slow ? patienceOf(target) : {}),
      ...(target === 'etcd' && claimsDiskForEtcd(cluster.version)
        ? { resources: { requests: { 'ephemeral-storage': null } } }
        : {}),
    };
    if (Object.keys(patch).length === 0) return [];
    const content = stringify({ spec: { containers: [{ name: target, ...patch }] } });
    return [{ path: `${patchesFolder}/${target}0+strategic.yaml`, mode: 0o644, content }];
  });
}

function patienceOf(target: (typeof targets)[number]): object {
  const { readySeconds: periodSeconds, probes } = slowHostSettings;
  const { timeoutSeconds, failures, startFailures } = probes;
  return {
    livenessProbe: { timeoutSeconds, failureThreshold: failures },
    // kubeadm gives only the API server one; a part of one would not be taken elsewhere.
    ...(target === 'kube-apiserver' ? { readinessProbe: { periodSeconds } } : {}),
    startupProbe: { timeoutSeconds, failureThreshold: startFailures },
  };
}
