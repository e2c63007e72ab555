// Patches of the static pods that kubeadm writes, for slow hosts: more patient liveness and startup probes, and rarer ones for
// readiness. They lie on the machine for good, because kubeadm wants them again at every upgrade.
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { stringify } from 'yaml';
import type { PushedFile } from '../pki/control-plane-files.ts';
import { patchesFolder } from './kubeadm-config.ts';
import { slowHostSettings } from './slow-host.ts';

const targets = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

/** None on hardware. */
export function makeStaticPodPatches({ slow }: ClusterBlueprint): readonly PushedFile[] {
  if (!slow) return [];
  const { readySeconds: periodSeconds, probes } = slowHostSettings;
  const { timeoutSeconds, failures, startFailures } = probes;
  return targets.map((target) => ({
    path: `${patchesFolder}/${target}0+strategic.yaml`,
    mode: 0o644,
    content: stringify({
      spec: {
        containers: [
          {
            name: target,
            livenessProbe: { timeoutSeconds, failureThreshold: failures },
            // kubeadm gives only the API server one; a part of one would not be taken elsewhere.
            ...(target === 'kube-apiserver' ? { readinessProbe: { periodSeconds } } : {}),
            startupProbe: { timeoutSeconds, failureThreshold: startFailures },
          },
        ],
      },
    }),
  }));
}
