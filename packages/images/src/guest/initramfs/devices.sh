# The kernel's file systems and drivers, without udev.

mount_kernel_file_systems() {
  mount -t proc -o nosuid,nodev,noexec proc /proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
  mount -t devtmpfs -o nosuid,mode=0755 devtmpfs /dev
  mkdir -p /run
  mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs /run
}

# A driver can bring devices that want drivers of their own (virtio-pci brings virtio disks), so it goes on until a round loads nothing new.
load_drivers() {
  before=-1
  after=0
  while [ "$before" != "$after" ]; do
    before=$after
    # shellcheck disable=SC2046 # one word a device
    modprobe -a -q -b $(find /sys/devices -name modalias -exec cat {} + 2> /dev/null | sort -u) 2> /dev/null
    # Disks on SCSI have no modalias of their own before their driver is there.
    if [ -d /sys/class/scsi_host ] && [ -n "$(ls /sys/class/scsi_host)" ]; then modprobe -q sd_mod; fi
    after=$(wc -l < /proc/modules)
  done
}

# wait_for SECONDS COMMAND...: until the command succeeds; looks five times a second.
wait_for() {
  tries=$(($1 * 5))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    usleep 200000
  done
}
