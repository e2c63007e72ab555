# Which disk this machine is installed on, and whether it may be: the disk is the authority.

# Whole disks that stay: no CD drives, no card readers, nothing read-only, nothing too small for a system.
list_disks() {
  for candidate in /sys/block/*; do
    name=${candidate##*/}
    case $name in
      loop* | ram* | zram* | sr* | fd* | dm-* | md* | nbd*) continue ;;
    esac
    [ "$(cat "$candidate/removable")" = 0 ] && [ "$(cat "$candidate/ro")" = 0 ] || continue
    [ "$(cat "$candidate/size")" -ge 4194304 ] || continue
    echo "/dev/$name"
  done
}

have_disks() {
  [ -n "$(list_disks)" ]
}

partition() {
  case $1 in
    *[0-9]) echo "$1p$2" ;;
    *) echo "$1$2" ;;
  esac
}

# describe_content DISK: what is on it in a person's words; nothing when it is empty. Empty means no signature that blkid
# knows anywhere, and nothing but zeros in the first and the last MiB.
describe_content() {
  found=$(blkid -p -o export "$1" 2> /dev/null | sed -n 's/^PTTYPE=/a partition table of type /p; s/^TYPE=/a file system or volume of type /p' | head -n 1)
  if [ -z "$found" ]; then
    mib=$(($(cat "/sys/block/${1##*/}/size") / 2048))
    for at in 0 $((mib - 1)); do
      [ "$(dd if="$1" bs=1M skip=$at count=1 2> /dev/null | tr -d '\000' | head -c 1 | wc -c)" = 0 ] || found='data of a kind that is not known'
    done
  fi
  echo "$found"
}

# choose_disk: sets disk and verdict (install, boot), or refuses.
choose_disk() {
  wait_for 10 have_disks || refuse "no disk of 2 GiB or more is attached to this machine"
  wanted=$(kernel_argument labwright.disk)
  disks=${wanted:-$(list_disks)}
  disk=
  for candidate in $disks; do
    [ -b "$candidate" ] || refuse "the lab file names the disk $candidate, and this machine has only: $(list_disks | tr '\n' ' ')"
    if read_mark "$candidate" && [ "$mark_lab" = "$lab" ] && [ "$mark_machine" = "$machine" ]; then disk=$candidate; fi
  done
  if [ -z "$disk" ]; then
    # shellcheck disable=SC2086 # one word a disk
    set -- $disks
    [ $# = 1 ] || refuse "this machine has several disks ($*) and none is marked as its own; say which with labwright.disk"
    disk=$1
  fi
  judge_disk
}

judge_disk() {
  if ! read_mark "$disk"; then
    content=$(describe_content "$disk")
    [ -z "$content" ] || refuse "the disk $disk holds $content and no mark of Labwright; erase it (blkdiscard -z $disk, or dd from /dev/zero) or attach an empty one"
    say "$disk is empty"
    verdict=install
  elif [ "$mark_lab" != "$lab" ] || [ "$mark_machine" != "$machine" ]; then
    refuse "the disk $disk belongs to machine $mark_machine of lab $mark_lab, and this is $machine of lab $lab"
  elif [ "$mark_state" != installed ]; then
    say "$disk carries an installation that was not finished"
    verdict=install
  elif [ "$mark_generation" -lt "$generation" ]; then
    say "$disk carries generation $mark_generation, and $generation is wanted"
    verdict=install
  else
    # A newer generation than the wanted one means that the server forgot, not that the disk is wrong.
    progress installed "generation $mark_generation is on $disk, nothing to install"
    verdict=boot
  fi
}
