# Whether the machine starts its member by itself: kubeadm is at it, or the kubelet was told to and may need a little longer. What a
# run of kubeadm that ended badly left there and does not run by then is undone anyway.
manifest=/etc/kubernetes/manifests/etcd.yaml
if systemctl is-active --quiet labwright-kubeadm.service; then
  echo 'labwright: busy'
  exit 0
fi
# A snapshot is being restored, and the members of the restored group have not told where they answer yet.
if [ -e /var/lib/labwright/restore ] || [ -d /etc/kubernetes/manifests.stopped-for-restore ]; then
  echo 'labwright: busy'
  exit 0
fi
if [ -e "$manifest" ] && { [ ! -e /var/lib/labwright/cluster/begun ] || [ -n "$(find "$manifest" -mmin -2)" ]; }; then
  echo 'labwright: busy'
  exit 0
fi
