# Whether the machine starts its member by itself: kubeadm is at it, or the kubelet has been told to.
if systemctl is-active --quiet labwright-kubeadm.service || [ -e /etc/kubernetes/manifests/etcd.yaml ]; then
  echo 'labwright: busy'
  exit 0
fi
