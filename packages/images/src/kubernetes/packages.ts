// What cluster machines have on top of every machine's packages, and what images of our own are packed from.

export const clusterPackages: readonly string[] = [
  'conntrack',
  'containerd',
  'containernetworking-plugins',
  'ebtables',
  'ethtool',
  'iptables',
  'nfs-common',
  'runc',
  'socat',
];

/** Only unpacked, never installed. */
export const partPackages: readonly string[] = ['busybox', 'libc6', 'catatonit', 'etcd-client', 'etcd-server'];
