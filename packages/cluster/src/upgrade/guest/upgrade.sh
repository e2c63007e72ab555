# The upgrade of this machine, drained by then. Every part looks whether it is done, so it goes on after a power cut. Wants $version,
# $role (first: apply; control-plane, worker: node), $options for kubeadm, and what fetch.sh brought.
folder=/var/lib/labwright/kubernetes/v$version

install_binary() { # NAME: whole or not at all
  cmp --silent "$folder/$1" "/usr/bin/$1" && return
  cp "$folder/$1" "/usr/bin/.$1.new"
  chmod 755 "/usr/bin/.$1.new"
  sync "/usr/bin/.$1.new"
  mv "/usr/bin/.$1.new" "/usr/bin/$1"
}

# Up to 1.30 kubeadm asks crictl for images, and does not go on without one. What it asks for is here already (fetch.sh).
if ! command -v crictl > /dev/null; then
  mkdir -p bin
  cat > bin/crictl <<'CRICTL'
#!/bin/sh
# crictl -r SOCKET [-t TIME] info | inspecti IMAGE | pull IMAGE, as far as kubeadm uses it.
while [ "${1#-}" != "$1" ]; do shift 2; done
case $1 in
  info) ctr version > /dev/null ;;
  inspecti) ctr --namespace k8s.io images list --quiet "name==$2" | grep --quiet . ;;
  pull) ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d "$2" > /dev/null ;;
  *) echo "crictl $1 is not there" >&2; exit 1 ;;
esac
CRICTL
  chmod 755 bin/crictl
  PATH=$PWD/bin:$PATH
  export PATH
fi

install_binary kubeadm || exit
# A cluster of a version that needed no patches has no folder of them, and kubeadm wants to see one.
[ -z "$options" ] || mkdir -p "${options##* }"
if [ "$role" = first ]; then
  say "kubeadm upgrade apply v$version"
  # Its own test Job proves less than the checks that were made before, and needs an image that does more than wait.
  # And it pulls CoreDNS, which the machine may not use, or the lab not have (it is left out later then); what it needs itself is here.
  ignored=CreateJob,CoreDNSUnsupportedPlugins,CoreDNSMigration,ImagePull
  # shellcheck disable=SC2086 # the options are words of our own
  kubeadm upgrade apply "v$version" --yes --ignore-preflight-errors=$ignored $options || exit
else
  say "kubeadm upgrade node"
  # shellcheck disable=SC2086
  kubeadm upgrade node $options || exit
fi

if ! cmp --silent "$folder/kubelet" /usr/bin/kubelet; then
  say "kubelet $version"
  systemctl stop kubelet.service
  install_binary kubelet || exit
fi
install_binary kubectl || exit
systemctl daemon-reload
# Also without a change: kubeadm may have written its configuration anew.
systemctl restart kubelet.service || exit
say 'waits for the kubelet'
tries=0
until curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:10248/healthz; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ]; then
    journalctl --unit=kubelet --lines=15 --no-pager --output=cat
    exit 1
  fi
  sleep 1
done
# Of former upgrades; the running one's stay for the next look.
find /var/lib/labwright/kubernetes -mindepth 1 -maxdepth 1 ! -name "v$version" -exec rm -rf {} +
# kubeadm keeps its backups of manifests and etcd for ever; the last one is enough.
for kind in etcd manifests; do
  find /etc/kubernetes/tmp -maxdepth 1 -name "kubeadm-backup-$kind-*" 2> /dev/null | sort | head -n -1 | xargs -r rm -rf
done
