# Starts the member of etcd that was added for this machine and never ran (etcd/pending-voter.ts), so that the group decides again
# and can take it out. Wants $name, $peer, $client, $cluster and $timings, with its certificates in files/. Ends when it is out.
root=/run/labwright-voter-image
data=/var/lib/labwright/voter

unmount_image() { ctr --namespace k8s.io images unmount --rm "$root" > /dev/null 2>&1 || :; }

# It has no member's place any more; the next run of kubeadm begins by undoing the rest.
if [ -e /etc/kubernetes/manifests/etcd.yaml ]; then
  systemctl stop kubelet.service || exit
  rm -f /etc/kubernetes/manifests/etcd.yaml
fi
# Of a try that was killed. Its data is what the member goes on from.
unmount_image
image=$(ctr --namespace k8s.io images list --quiet | grep '/etcd:' | head -n 1)
[ -n "$image" ] || { echo 'there is no image of etcd on this machine'; exit 1; }
mkdir -p "$root" "${data%/*}"
ctr --namespace k8s.io images mount "$image" "$root" > mounted 2>&1 || { tail -n 3 mounted; exit 1; }
# In an image of its makers, and in one packed here.
for program in "$root/usr/local/bin/etcd" "$root/usr/bin/etcd"; do
  [ ! -x "$program" ] || break
done
say 'starts its member of etcd for a moment'
# shellcheck disable=SC2086 # the timings are words of our own
timeout --foreground 300 "$program" --name "$name" --data-dir "$data" \
  --initial-cluster "$cluster" --initial-cluster-state existing \
  --initial-advertise-peer-urls "$peer" --listen-peer-urls "$peer" \
  --advertise-client-urls "$client" --listen-client-urls "$client" \
  --cert-file files/server.crt --key-file files/server.key --client-cert-auth --trusted-ca-file files/ca.crt \
  --peer-cert-file files/peer.crt --peer-key-file files/peer.key --peer-client-cert-auth --peer-trusted-ca-file files/ca.crt \
  --logger zap $timings > etcd.log 2>&1
code=$?
# One that was taken out of its group ends by itself, well or not.
if grep -q 'permanently removed' etcd.log; then
  rm -rf "$data"
  code=0
fi
[ "$code" = 0 ] || tail -n 10 etcd.log
unmount_image
rm -f etcd.log mounted
exit "$code"
