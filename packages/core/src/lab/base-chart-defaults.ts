// Which base services a cluster has where the lab file does not say: on hardware, what makes it useful at home.
import { machineNetwork } from './lab-identities.ts';
import type { Lab, LabKubernetes } from './lab-schema.ts';
import type { BaseChartName } from './service-schema.ts';

export interface BaseChartDefault {
  readonly isOn: boolean;
  /** What it follows from, in words of the lab file. */
  readonly rule: string;
}

/** What the router does, nothing in the cluster has to. */
export function baseChartDefaults(
  lab: Lab,
  { podNetwork }: Pick<LabKubernetes, 'podNetwork'>,
): Readonly<Record<BaseChartName, BaseChartDefault>> {
  const { balancer, ingress } = lab.exposures;
  const hasRange = machineNetwork(lab)?.network.services !== undefined;
  // Volumes of pods are made on it; a checked lab has at most one.
  const hasExport = Object.values(lab.nas).some(({ exports }) => exports.some((each) => each.for === 'volumes'));
  return {
    flannel: { isOn: podNetwork === 'flannel', rule: 'kubernetes.podNetwork' },
    metallb:
      balancer === 'router'
        ? { isOn: false, rule: 'exposures.balancer is router' }
        : { isOn: hasRange, rule: hasRange ? 'networks has services' : 'no network has services' },
    traefik:
      ingress === 'router' ? { isOn: false, rule: 'exposures.ingress is router' } : { isOn: true, rule: 'default' },
    'csi-driver-nfs': { isOn: hasExport, rule: hasExport ? 'nas has an export for volumes' : 'no export for volumes' },
    'metrics-server': { isOn: true, rule: 'default' },
  };
}
