// Programs the rehearsal runs from Debian roots of its own in the cache: nothing of them is installed on the user's machine.

/** For the hosts, the gateway and the laptop. */
export const toolPackages = [
  'qemu-system-x86',
  'qemu-utils',
  'ovmf',
  'ipxe-qemu',
  'ipxe',
  'iproute2',
  'unbound',
  'haproxy',
  'systemd-resolved',
] as const;

/** For the NAS; a root of its own, which a rehearsal without one need not build. */
export const nasPackages = ['nfs-ganesha', 'nfs-ganesha-vfs', 'mariadb-server', 'openssh-server', 'sudo'] as const;

/**
 * QEMU, of Debian 13: the one of Debian 12 may go on with code that the guest's kernel has just changed, and the guest hangs (mended in
 * QEMU 8.1). Firmware stays that of Debian 12.
 */
export const emulator = { suite: 'trixie', packages: ['qemu-system-x86'] } as const;
