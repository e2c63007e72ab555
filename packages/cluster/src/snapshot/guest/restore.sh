# One act of a restore on a control plane (snapshot/restore.ts). Wants $act and $snapshot, and for 'restore' also $name, $peer,
# $cluster and $token, with the snapshot as files/snapshot.db. How far the machine is stands in $state: "SNAPSHOT PHASE".
state=/var/lib/labwright/restore
manifests=/etc/kubernetes/manifests
# Beside them and not in a folder of ours: a look at the machine shows at once why nothing runs.
parked=/etc/kubernetes/manifests.stopped-for-restore
data=/var/lib/etcd
# In the cluster (guest/state.sh of its formation).
member=/var/lib/labwright/cluster/member
# Where the image of etcd is looked into; not in the job's own folder, which is removed as a whole.
root=/run/labwright-etcd-image

read -r what phase < "$state" 2> /dev/null || { what='' phase=untouched; }
if [ -n "$what" ] && [ "$what" != "$snapshot" ]; then
  echo "another restore is under way here, of the snapshot $what: finish that first"
  exit 3
fi
remember() { # PHASE
  mkdir -p "${state%/*}"
  echo "$snapshot $1" > "$state.new"
  sync "$state.new"
  mv "$state.new" "$state"
  sync "${state%/*}"
}

# The image that etcd runs from here. Data is restored by the program that came with that etcd: an older one writes what it does not read.
find_image() {
  manifest=$parked/etcd.yaml
  [ -f "$manifest" ] || manifest=$manifests/etcd.yaml
  image=$(sed -n 's/^[- ]*image: *"\{0,1\}\([^" ]*\)"\{0,1\} *$/\1/p' "$manifest" 2> /dev/null | head -n 1)
  [ -n "$image" ] || { echo "it cannot be seen which etcd runs here: $manifest names no image"; return 1; }
}
is_old() { # Up to 3.4 etcdctl restores, the one of the machine; from 3.5 on etcdutl, which is in the image.
  case ${image##*:} in
    3.[0-4].* | v3.[0-4].*) ;;
    *) return 1 ;;
  esac
}
unmount_image() { ctr --namespace k8s.io images unmount --rm "$root" > /dev/null 2>&1 || :; }
with_etcdutl() { # COMMAND ARGUMENT...: run while the image is mounted
  # Of a try that was killed.
  unmount_image
  mkdir -p "$root"
  if ! mounted=$(ctr --namespace k8s.io images mount "$image" "$root" 2>&1); then
    echo "$mounted" | tail -n 3
    echo "etcdutl has to come out of the image of etcd, and $image cannot be mounted"
    return 1
  fi
  if [ -x "$root/usr/local/bin/etcdutl" ]; then
    "$@"
  else
    echo "etcdutl has to come out of the image of etcd, and $image has no /usr/local/bin/etcdutl"
    false
  fi
  code=$?
  unmount_image
  return "$code"
}
run_etcdutl() { # ARGUMENT...
  if "$root/usr/local/bin/etcdutl" snapshot restore --help 2>&1 | grep -q -- --bump-revision; then
    # Nobody who has seen a later revision waits for it in vain.
    set -- "$@" --bump-revision 1000000000 --mark-compacted
  fi
  "$root/usr/local/bin/etcdutl" "$@"
}
restore_data() { # FOLDER
  set -- snapshot restore files/snapshot.db --data-dir "$1" --name "$name" --initial-cluster "$cluster" \
    --initial-cluster-token "$token" --initial-advertise-peer-urls "$peer"
  find_image || return
  if is_old; then ETCDCTL_API=3 etcdctl "$@"; else with_etcdutl run_etcdutl "$@"; fi
}

case $act in
  look)
    # A machine that was made anew and never joined has nothing to restore, and joins what is restored elsewhere.
    if [ "$phase" = untouched ] && [ ! -e "$member" ] && [ ! -e "$manifests/etcd.yaml" ]; then
      phase=absent
    fi
    # Before anything stops.
    case $phase in
      untouched | stopped)
        find_image || exit
        is_old || with_etcdutl true || exit
        ;;
    esac
    echo "phase $phase"
    ;;
  stop)
    say 'stops the kubelet and what it runs'
    # Of an earlier restore that was cut off when it was done: this one is another, also of the same snapshot.
    [ "$phase" != untouched ] || rm -f "$data/.restored-by-labwright"
    systemctl stop kubelet.service || exit
    # Without manifests nothing comes back, whatever starts the kubelet.
    if [ ! -d "$parked" ]; then
      mkdir -p "$parked.new"
      cp -p "$manifests"/*.yaml "$parked.new" || exit
      mv "$parked.new" "$parked"
    fi
    rm -f "$manifests"/*.yaml
    sync /etc/kubernetes
    for task in $(ctr --namespace k8s.io tasks list --quiet); do
      ctr --namespace k8s.io tasks kill --signal KILL --all "$task" 2> /dev/null || :
    done
    tries=0
    while pgrep -x 'etcd|kube-apiserver' > /dev/null; do
      tries=$((tries + 1))
      [ "$tries" -lt 60 ] || { echo 'etcd or the API server does not end'; exit 1; }
      sleep 1
    done
    remember stopped
    ;;
  restore)
    say 'restores the data of etcd'
    new=$data.restored
    old=$data.before-restore
    done=$data/.restored-by-labwright
    if [ "$(cat "$done" 2> /dev/null)" = "$snapshot" ]; then
      remember restored
      rm -f "$done"
      exit 0
    fi
    rm -rf "$new"
    restore_data "$new" || exit
    chmod 700 "$new"
    # The data of before is kept: a second try must not take the new data for it.
    echo "$snapshot" > "$new/.restored-by-labwright"
    if [ -d "$data" ]; then
      rm -rf "$old"
      mv "$data" "$old" || exit
    fi
    mv "$new" "$data" || exit
    sync "${data%/*}"
    remember restored
    rm -f "$done"
    ;;
  start)
    say 'starts the control plane'
    if [ -d "$parked" ]; then
      cp -p "$parked"/*.yaml "$manifests" || exit
      rm -rf "$parked"
    fi
    systemctl restart kubelet.service || exit
    remember started
    ;;
  finish)
    rm -f "$state"
    ;;
esac
