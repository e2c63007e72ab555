# From the initramfs into the installed system.

# enter_root: /sysroot becomes the root, and systemd takes over as process 1.
enter_root() {
  for directory in dev proc sys run; do mount --move "/$directory" "/sysroot/$directory"; done
  exec switch_root /sysroot /sbin/init
}

find_root() {
  case $root in
    /dev/*) root_device=$root ;;
    *) root_device=$(findfs "$root" 2> /dev/null) ;;
  esac
  [ -b "$root_device" ]
}

# A disk that lost its power between its boot loader and its mark would run, and the next boot over the network would install over
# whatever had been put on it by then. So it is not run but installed again, over the network.
leave_unfinished_disk() {
  own_disk=/dev/$(basename "$(readlink -f "/sys/class/block/${root_device##*/}/..")")
  read_mark "$own_disk" && [ "$mark_state" = installing ] || return 0
  say "the installation on $own_disk was not finished; going on to the network, which does it again"
  make_unbootable "$own_disk"
  reboot -f
}

# Booted from its own disk: root= says where the root is; systemd checks it before it is written to.
boot_own_disk() {
  root=$(kernel_argument root)
  mkdir -p /sysroot
  if wait_for 30 find_root; then
    leave_unfinished_disk
    if mount -t ext4 -o ro "$root_device" /sysroot; then enter_root; fi
  fi
  say "the root file system root=$root was not found; a shell"
  exec setsid cttyhack /bin/sh
}

# Booted over the network. Without modules of the running kernel on the disk (it was upgraded), the disk's own kernel is started.
boot_installed() {
  if ! grep -q ' /sysroot ' /proc/mounts; then
    mkdir -p /sysroot
    mount -t ext4 -o ro "$(partition "$disk" 4)" /sysroot || fail "the root file system on $(partition "$disk" 4) cannot be mounted"
  fi
  ip address flush dev "$interface"
  ip link set "$interface" down
  if [ ! -d "/sysroot/lib/modules/$(uname -r)" ]; then
    say "the disk has another kernel than $(uname -r) and is started with its own"
    kexec -l /sysroot/vmlinuz --initrd=/sysroot/initrd.img --append="$(sed -n 's/^ *linux [^ ]* //p' /sysroot/boot/grub/grub.cfg)" &&
      umount /sysroot && kexec -e
    fail "the kernel on the disk could not be started"
  fi
  say "starting the installed system"
  enter_root
}
