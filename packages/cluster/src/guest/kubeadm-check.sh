# Looks at what the machine is before kubeadm is started there; see formation/kubeadm-job.ts.
. ./settings.sh
. ./state.sh
state=$(machine_state)
case "$job/$state" in
  */foreign | addons/blank | addons/begun)
    echo "labwright: $state"
    exit 0
    ;;
  init/member | join/member)
    # The cluster has no such node, or we would not be here: a kubelet registers its node when it starts.
    [ "$job" = init ] || systemctl restart kubelet.service
    echo 'labwright: member'
    exit 0
    ;;
esac
