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

if [ "$job" != addons ]; then
  [ ! -e "$marks/begun" ] || undo
  mkdir -p "$marks"
  : > "$marks/begun"
  # On disk before the first file of a cluster is: after a power cut it says what the rest is.
  sync "$marks/begun" "$marks"
fi
tar -x -p --no-same-owner --no-overwrite-dir -f files/root.tar -C / || exit
systemctl start containerd.service || exit
# shellcheck disable=SC2086 # the options are words of our own
(cd files && kubeadm $command --config kubeadm.yaml $options) || exit
if [ "$job" != addons ]; then
  # What kubeadm wrote is on disk before the mark is that says so.
  sync --file-system "$marks"
  : > "$marks/member"
  rm -f "$marks/begun"
  sync "$marks"
fi
