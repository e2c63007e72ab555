# Looks at what the machine is, then starts the job as a unit of systemd: a lost connection or a killed Labwright does not end it.
# `job.conf` says what is to be done; see kubeadm-job.ts.
. ./job.conf
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
: > log
systemd-run --quiet --collect --unit=labwright-kubeadm.service --description='Labwright: kubeadm' \
  --property=Type=exec --property=StandardOutput=append:$folder/log --property=StandardError=append:$folder/log \
  --property=WorkingDirectory=$folder /bin/sh ./job.sh
echo 'labwright: started'
