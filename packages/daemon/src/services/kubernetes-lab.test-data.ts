// A small lab file with a cluster, for tests of its services.

/** JSON, which is YAML too. Base services are off: they would be fetched. */
export function kubernetesLab(kubernetes: Readonly<Record<string, unknown>> = {}): string {
  const charts = { metallb: false, traefik: false, 'csi-driver-nfs': false, 'metrics-server': false };
  return JSON.stringify({
    version: 1,
    lab: 'home',
    networks: { lan: { cidr: '10.1.0.0/22', gateway: '10.1.0.1', machines: '10.1.1.0/28' } },
    hosts: { pve1: { address: '10.1.0.11', cores: 12, memory: '24GiB' } },
    proxmox: { token: { env: 'TOKEN' } },
    netboot: { address: '10.1.0.9' },
    pools: { control: { role: 'control-plane' } },
    kubernetes: { version: '1.35.4', endpoint: { address: '10.1.0.10' }, charts, ...kubernetes },
  });
}
