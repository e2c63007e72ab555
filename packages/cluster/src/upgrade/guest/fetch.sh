# Binaries from the boot server, each with its sum, and images through the registry mirror: all that the upgrade needs, before
# anything of this machine changes. Wants $version, $server, $binaries ("NAME SHA256" a line) and $role.
folder=/var/lib/labwright/kubernetes/v$version
mkdir -p "$folder"
echo "$binaries" | while read -r name sum; do
  if ! echo "$sum  $folder/$name" | sha256sum --check --status 2> /dev/null; then
    say "fetches $name $version"
    curl --silent --show-error --fail --retry 5 --retry-connrefused --output "$folder/$name.new" \
      "$server/kubernetes/v$version/$name" || exit 1
    echo "$sum  $folder/$name.new" | sha256sum --check --quiet || { echo "$name does not have the sum it should have"; exit 1; }
    chmod 755 "$folder/$name.new"
    mv "$folder/$name.new" "$folder/$name"
  fi
done || exit 1
sync "$folder"/*

# CoreDNS is left out: where it is used, its Deployment has the kubelet pull it.
images=$("$folder/kubeadm" config images list --kubernetes-version "v$version" 2> /dev/null | grep -v /coredns) || exit 1
[ "$role" = control-plane ] || images=$(echo "$images" | grep -e /kube-proxy: -e /pause:)
for image in $images; do
  [ -z "$(ctr --namespace k8s.io images list --quiet "name==$image")" ] || continue
  say "pulls $image"
  ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d "$image" > pull.log 2>&1 || { tail -n 5 pull.log; exit 1; }
done
