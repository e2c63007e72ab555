// What the Debian image is made of. Whatever a machine needs later is one more line here.

/** On every machine. */
export const nodePackages: readonly string[] = [
  'ca-certificates',
  'curl',
  'dbus',
  'e2fsprogs',
  'iproute2',
  'kmod',
  'linux-image-cloud-amd64',
  'openssh-server',
  'procps',
  'prometheus-node-exporter',
  'sudo',
  'systemd',
  'systemd-sysv',
  'systemd-timesyncd',
  'udev',
  'zstd',
];

/** Only unpacked, never installed: their programs go into the initramfs or make the boot loaders. */
export const bootPackages: readonly string[] = [
  'busybox-static',
  'dosfstools',
  'e2fsprogs',
  'gdisk',
  'grub-common',
  'grub-efi-amd64-bin',
  'grub-pc-bin',
  'ignition',
  'kexec-tools',
  'mtools',
  'util-linux',
  'zstd',
];

/** Units of Debian that a machine does without: an image is replaced by a newer one, not looked after from inside. */
export const maskedUnits: readonly string[] = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'systemd-pstore.service',
];
