// Patches of the static pods that kubeadm writes, for slow hosts: more patient liveness and startup probes. They lie on the machine
// for good, because kubeadm wants them again at every upgrade.
import type { ClusterBlueprint } from '@labwright/core/blueprint/blueprint';
import { stringify } from 'yaml';
import type { PushedFile } from '../pki/control-plane-files.ts';
import { patchesFolder } from './kubeadm-config.ts';
import { slowHostTimings } from './slow-host.ts';

const targets = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;

/** None on hardware. */
export function makeStaticPodPatches({ slow }: ClusterBlueprint): readonly PushedFile[] {
  if (!slow) return [];
  const { timeoutSeconds, failures, startFailures } = slowHostTimings.probes;
  return targets.map((target) => ({
    path: `${patchesFolder}/${target}0+strategic.yaml`,
    mode: 0o644,
    content: stringify({
      spec: {
        containers: [
          {
            name: target,
            livenessProbe: { timeoutSeconds, failureThreshold: failures },
            startupProbe: { timeoutSeconds, failureThreshold: startFailures },
          },
        ],
      },
    }),
  }));
}
