# Renews every certificate that kubeadm made on this control plane, and starts the processes again that read them only at their
# start. The kubelet renews its own. Wants $address, and $answers: "now" or "later". Needs no answer of the cluster: kubeadm asks it
# for its configuration, and goes on without.
say 'renews the certificates'
kubeadm certs renew all || exit
# etcd first: the API server's new login to it is good for either.
for name in etcd kube-apiserver kube-controller-manager kube-scheduler; do
  say "starts $name again"
  for container in $(ctr --namespace k8s.io containers list --quiet "labels.\"io.kubernetes.container.name\"==$name"); do
    # Of former starts there are containers without a task.
    ctr --namespace k8s.io tasks kill --signal SIGTERM "$container" 2> /dev/null || :
  done
done
# While the other control planes have certificates that have ended, etcd has no leader, and no API server is ready without it.
[ "$answers" = now ] || exit 0
say 'waits for its API server'
tries=0
until curl --silent --fail --insecure --max-time 5 --output /dev/null "https://$address:6443/readyz"; do
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || { echo 'the API server does not answer'; exit 1; }
  sleep 1
done
