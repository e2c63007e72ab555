# One act of a restore on a control plane (snapshot/restore.ts). Wants $act and $snapshot, and for 'restore' also $name, $peer,
# $cluster and $token, with the snapshot as files/snapshot.db. How far the machine is stands in $state: "SNAPSHOT PHASE".
state=/var/lib/labwright/restore
manifests=/etc/kubernetes/manifests
# Beside them and not in a folder of ours: a look at the machine shows at once why nothing runs.
parked=/etc/kubernetes/manifests.stopped-for-restore
data=/var/lib/etcd

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

case $act in
  look)
    echo "phase $phase"
    ;;
  stop)
    say 'stops the kubelet and what it runs'
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
    place="--name $name --initial-cluster $cluster --initial-cluster-token $token --initial-advertise-peer-urls $peer"
    if command -v etcdutl > /dev/null && etcdutl snapshot restore --help 2>&1 | grep -q -- --bump-revision; then
      # Nobody who has seen a later revision waits for it in vain.
      # shellcheck disable=SC2086 # words of our own
      etcdutl snapshot restore files/snapshot.db $place --data-dir "$new" --bump-revision 1000000000 --mark-compacted || exit
    elif command -v etcdutl > /dev/null; then
      # shellcheck disable=SC2086
      etcdutl snapshot restore files/snapshot.db $place --data-dir "$new" || exit
    else
      # shellcheck disable=SC2086
      ETCDCTL_API=3 etcdctl snapshot restore files/snapshot.db $place --data-dir "$new" || exit
    fi
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
