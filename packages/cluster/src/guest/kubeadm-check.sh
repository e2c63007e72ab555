# Looks at what the machine is before kubeadm is started there; see formation/kubeadm-job.ts.
. ./settings.sh
. ./state.sh
state=$(machine_state)
case "$job/$state" in
  */foreign | addons/blank)
    echo "labwright: $state"
    exit 0
    ;;
  addons/begun)
    # The cluster answers, or nobody would ask for add-ons. An init is finished there and not undone: all that is in the cluster is on
    # this disk.
    if [ "$(cat "$marks/begun")" != init ]; then
      echo "labwright: $state"
      exit 0
    fi
    ;;
  init/member | join/member)
    # The cluster has no such node, or we would not be here: a kubelet registers its node when it starts.
    [ "$job" = init ] || systemctl restart kubelet.service
    echo 'labwright: member'
    exit 0
    ;;
esac
