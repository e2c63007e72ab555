# The job itself, as root under systemd: undoes what an earlier try left half done, puts the files in place, runs kubeadm.
. ./state.sh

undo() {
  say 'Undoing what an earlier try left half done'
  systemctl stop kubelet.service
  systemctl kill --signal=KILL kubepods.slice 2> /dev/null || :
  kubeadm reset --force --cri-socket "$socket" || exit
  ip link delete cni0 2> /dev/null || :
  rm -rf /etc/cni/net.d/10-labwright.conflist /var/lib/cni "$marks/begun"
}

# kubeadm gives etcd two seconds to take the machine in. Where etcd did and said so later, kubeadm asks in vain for minutes, in which
# two voters of which one never started decide nothing. It is ended at once then, and whoever follows this job mends it.
unstarted='re-configuration failed due to not enough started members'
run_kubeadm() {
  from=$(($(wc -c < log) + 1))
  # shellcheck disable=SC2086 # the options are words of our own
  (cd files && exec kubeadm $command --config kubeadm.yaml $options) &
  kubeadm=$!
  rm -f ended
  tail -c "+$from" -f -s 0.5 --pid="$kubeadm" log | {
    grep -q -m 1 -F "$unstarted" && : > ended && kill "$kubeadm" 2> /dev/null
    cat > /dev/null
  }
  wait "$kubeadm"
  code=$?
  [ ! -e ended ] || echo "error execution phase control-plane-join/etcd: $unstarted"
  return "$code"
}

if [ "$job" != addons ]; then
  [ ! -e "$marks/begun" ] || undo
  mkdir -p "$marks"
  echo "$job" > "$marks/begun"
  # On disk before the first file of a cluster is: after a power cut it says what the rest is.
  sync "$marks/begun" "$marks"
fi
tar -x -p --no-same-owner --no-overwrite-dir -f files/root.tar -C / || exit
systemctl start containerd.service || exit
finishing=
if [ "$job" = addons ] && [ -e "$marks/begun" ]; then
  # Of an init that was cut off when the cluster answered already (kubeadm-check.sh): what comes after that, any number of times.
  say 'Finishing what an earlier try left'
  finishing=1
  for phase in 'upload-config all' mark-control-plane bootstrap-token; do
    # shellcheck disable=SC2086 # two words
    (cd files && kubeadm init phase $phase --config kubeadm.yaml) || exit
  done
fi
run_kubeadm || exit
if [ "$job" != addons ] || [ -n "$finishing" ]; then
  # What kubeadm wrote is on disk before the mark is that says so.
  sync --file-system "$marks"
  : > "$marks/member"
  rm -f "$marks/begun"
  sync "$marks"
fi
