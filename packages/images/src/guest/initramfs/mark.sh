# The mark that says whose disk this is. One sector at a place that is known before there is a partition table, in a partition of
# its own once there is one. A disk writes a sector whole or not at all, so a mark is never half there.
#
#   sector 0     34      64          128    2048         4096           135168
#          | GPT |       | the mark  |      | boot code  | UEFI loader  | root file system ...
#                                             (BIOS)
#   nothing there:      empty, or foreign when the disk holds anything else
#   state=installing    written before anything else is; what follows may be half done
#   state=installed     written after everything else is on the disk
mark_sector=64

# read_mark DISK: sets mark_state, mark_lab, mark_machine, mark_generation; fails where there is none.
read_mark() {
  dd if="$1" bs=512 skip=$mark_sector count=1 2> /dev/null | tr -d '\000' > /run/mark
  [ "$(head -n 1 /run/mark)" = 'labwright mark 1' ] || return 1
  mark_state=$(sed -n 's/^state=//p' /run/mark)
  mark_lab=$(sed -n 's/^lab=//p' /run/mark)
  mark_machine=$(sed -n 's/^machine=//p' /run/mark)
  mark_generation=$(sed -n 's/^generation=//p' /run/mark)
}

# write_mark DISK STATE: on the disk itself when it returns.
write_mark() {
  printf 'labwright mark 1\nstate=%s\nlab=%s\nmachine=%s\ngeneration=%s\n' "$2" "$lab" "$machine" "$generation" |
    dd of="$1" bs=512 seek=$mark_sector count=1 conv=sync,notrunc,fsync 2> /dev/null
}

# make_unbootable DISK: firmware goes on to the network. UEFI finds no loader in its partition; BIOS, which jumps into the first
# sector of any disk with partitions, finds the instruction by which boot code says that it has nothing (int 18h).
make_unbootable() {
  dd if=/dev/zero of="$1" bs=440 count=1 conv=notrunc 2> /dev/null &&
    printf '\315\030' | dd of="$1" bs=2 count=1 conv=notrunc,fsync 2> /dev/null &&
    dd if=/dev/zero of="$1" bs=512 seek=4096 count=128 conv=notrunc,fsync 2> /dev/null
}
