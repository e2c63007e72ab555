# What this machine is in a cluster. Wants $authority, the SHA-256 of our ca.crt, or nothing when this lab has no keys yet.
#   blank     never was in one
#   begun     kubeadm was begun and did not end well: whatever is there is half of something
#   member    in this lab's cluster
#   foreign   in another one
marks=/var/lib/labwright/cluster
ca=/etc/kubernetes/pki/ca.crt
machine_state() {
  if [ -e "$ca" ] && ! echo "${authority:-none}  $ca" | sha256sum --check --status 2> /dev/null; then
    echo foreign
  elif [ -e "$marks/member" ]; then
    echo member
  elif [ -e "$marks/begun" ]; then
    echo begun
  elif [ -e /etc/kubernetes/kubelet.conf ]; then
    echo foreign
  else
    echo blank
  fi
}
