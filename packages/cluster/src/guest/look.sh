# Read from standard input behind state.sh and `authority=…`: prints what the machine is in a cluster, or "busy" while kubeadm decides it.
if systemctl is-active --quiet labwright-kubeadm.service; then
  echo busy
else
  machine_state
fi
