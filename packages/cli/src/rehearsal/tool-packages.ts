// Programs the rehearsal runs from Debian roots of its own in the cache: nothing of them is installed on the user's machine.

/** For the hosts and the gateway. */
export const toolPackages = [
  'qemu-system-x86',
  'qemu-utils',
  'ovmf',
  'ipxe-qemu',
  'ipxe',
  'iproute2',
  'unbound',
  'haproxy',
] as const;

/** For the NAS; a root of its own, which a rehearsal without one need not build. */
export const nasPackages = ['nfs-ganesha', 'nfs-ganesha-vfs', 'mariadb-server', 'openssh-server', 'sudo'] as const;
