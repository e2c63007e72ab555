# Fills the disk: partitions, root file system, Ignition, boot loaders, and at the very end the mark that it is done.

install_machine() {
  write_mark "$disk" installing || fail "$disk does not take the mark"
  # An older installation must not be run any more.
  make_unbootable "$disk" || fail "$disk cannot be written to"
  progress installing "partitions on $disk"
  make_partitions
  progress installing "the root file system"
  fill_root
  progress installing "the configuration"
  enter_sysroot
  identify_root
  run_ignition
  leave_sysroot
  progress installing "the boot loader"
  install_boot_loaders
  # GRUB reads the file system without its journal, so nothing may be left there alone: read-only means checkpointed.
  mount -o remount,ro /sysroot || fail "the root file system could not be finished"
  sync
  write_mark "$disk" installed || fail "$disk does not take the mark"
  progress installed "generation $generation on $disk"
}

make_partitions() {
  # Without the mark's sector, which sgdisk leaves alone. What an older table holds is of no interest: this disk is ours.
  sgdisk --zap-all "$disk" > /run/sgdisk.log 2>&1
  sgdisk --clear --set-alignment=1 \
    --new=1:64:127 --typecode=1:8300 --change-name=1:labwright \
    --new=2:2048:4095 --typecode=2:ef02 --change-name=2:labwright-bios \
    --new=3:4096:135167 --typecode=3:ef00 --change-name=3:labwright-esp \
    --set-alignment=2048 --new=4:135168:0 --typecode=4:8304 --change-name=4:labwright-root \
    "$disk" >> /run/sgdisk.log 2>&1 || fail "$disk could not be partitioned: $(tail -n 1 /run/sgdisk.log)"
  # With the table came boot code of zeros, in which a BIOS would hang.
  make_unbootable "$disk" || fail "$disk cannot be written to"
  blockdev --rereadpt "$disk" 2> /dev/null
  wait_for 10 test -b "$(partition "$disk" 4)" || fail "the partitions of $disk did not appear"
}

# The stream is an ext4 file system; its own checksum (zstd) tells whether all of it arrived as it was sent. It becomes this
# machine's by a UUID of its own, and grows to its partition. Past the page cache: what is written once is not read soon, and a
# machine without KVM takes a quarter longer with it.
fill_root() {
  target=$(partition "$disk" 4)
  root_uuid=$(cat /proc/sys/kernel/random/uuid)
  rm -f /run/done-*
  { wget -q -O - "$url/rootfs" 2> /run/fetch.log && : > /run/done-fetch; } |
    { zstd -q -d -c 2> /run/unpack.log && : > /run/done-unpack; } |
    { dd of="$target" bs=4M iflag=fullblock oflag=direct 2> /run/write.log && : > /run/done-write; }
  if [ ! -e /run/done-fetch ] || [ ! -e /run/done-unpack ] || [ ! -e /run/done-write ]; then
    fail "the root file system did not get from $server to $disk: $(cat /run/fetch.log /run/unpack.log /run/write.log | tr '\n' ' ')"
  fi
  tune2fs -U "$root_uuid" "$target" > /run/tune2fs.log 2>&1 || fail "the root file system got no UUID: $(tail -n 1 /run/tune2fs.log)"
  mkdir -p /sysroot
  mount -t ext4 -o noatime "$target" /sysroot || fail "the new root file system cannot be mounted"
  resize2fs "$target" > /run/resize2fs.log 2>&1 || fail "the root file system does not grow to its partition: $(tail -n 1 /run/resize2fs.log)"
}

# Programs of the new root see the kernel's file systems while it is configured.
enter_sysroot() {
  for directory in dev proc sys run; do mount --bind "/$directory" "/sysroot/$directory"; done
}

leave_sysroot() {
  for directory in dev proc sys run; do umount -l "/sysroot/$directory"; done
}

# What makes this root this machine's: nothing of it is in the image.
identify_root() {
  tr -d '-' < /proc/sys/kernel/random/uuid > /sysroot/etc/machine-id
  mkdir -p /sysroot/etc/labwright
  printf 'LABWRIGHT_SERVER=%s\nLABWRIGHT_LAB=%s\nLABWRIGHT_MACHINE=%s\nLABWRIGHT_GENERATION=%s\n' "$server" "$lab" "$machine" "$generation" > /sysroot/etc/labwright/machine
  printf 'UUID=%s / ext4 noatime,errors=remount-ro 0 1\n' "$root_uuid" > /sysroot/etc/fstab
  chroot /sysroot ssh-keygen -q -t ed25519 -N '' -C "$machine" -f /etc/ssh/ssh_host_ed25519_key < /dev/null || fail "no SSH host key could be made"
}

# Ignition reads the whole config from its system file, which points to the boot server; it asks again while that answers 503.
run_ignition() {
  mkdir -p /usr/lib/ignition
  printf '{"ignition":{"version":"3.0.0","config":{"replace":{"source":"%s/ignition.json"}}}}\n' "$url" > /usr/lib/ignition/user.ign
  for stage in fetch-offline fetch files; do
    ignition --platform=metal --stage="$stage" --root=/sysroot --config-cache=/run/ignition.json --neednet=/run/ignition-neednet --log-to-stdout > "/run/ignition-$stage.log" 2>&1 || {
      tail -n 15 "/run/ignition-$stage.log" > /dev/console
      fail "Ignition ($stage): $(grep -i -E 'error|crit' "/run/ignition-$stage.log" | tail -n 1)"
    }
  done
  apply_presets
}

# Ignition says which units shall run by a preset file, which systemd heeds only on a first boot with no machine id at all. Its
# own words are applied here and now; presets of Debian, which enable almost everything, are not.
apply_presets() {
  presets=/sysroot/etc/systemd/system-preset/20-ignition.preset
  [ -f "$presets" ] || return 0
  for verb in enable disable; do
    units=$(sed -n "s/^$verb //p" "$presets" | tr '\n' ' ')
    [ -n "$units" ] || continue
    # shellcheck disable=SC2086 # one word a unit
    chroot /sysroot systemctl --quiet "$verb" $units || fail "systemctl could not $verb: $units"
  done
}

# Both kinds of firmware find a loader: GRUB's boot code for BIOS was linked for sector 2048 when the image was built, and the
# UEFI partition is an image with the loader at its removable path. Both read /boot/grub/grub.cfg on the root file system.
install_boot_loaders() {
  parts=/sysroot/usr/lib/labwright/boot
  # What the kernel was told for the installed system's sake, it is told from the disk, too.
  arguments=$(for word in $(cat /proc/cmdline); do case $word in console=* | systemd.* | tsc=*) printf '%s ' "$word" ;; esac; done)
  mkdir -p /sysroot/boot/grub
  sed "s/@UUID@/$root_uuid/; s|@ARGUMENTS@|${arguments% }|" "$parts/grub.cfg" > /sysroot/boot/grub/grub.cfg ||
    fail "the boot loader's configuration could not be written"
  {
    dd if="$parts/core.img" of="$(partition "$disk" 2)" bs=64k conv=fsync &&
      dd if="$parts/esp.img" of="$(partition "$disk" 3)" bs=64k conv=fsync &&
      dd if="$parts/boot.img" of="$disk" bs=440 count=1 conv=notrunc,fsync
  } 2> /run/dd.log || fail "the boot loader could not be written: $(tail -n 1 /run/dd.log)"
}
