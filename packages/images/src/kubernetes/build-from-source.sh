#!/bin/sh
# Builds Kubernetes inside a Debian root with Go, from the source archive in /mnt, into /mnt/out.
#   build-from-source.sh VERSION      what the programs say they are: "v1.20.2"
set -eu
version=$1
cd /mnt
mkdir -p source out
tar -xf kubernetes_*.orig.tar.gz -C source --strip-components=1
cd source

# reflect2 1.0.1, as vendored, crashes when it is built with Go 1.18 or later; Debian has 1.0.2.
vendored=vendor/github.com/modern-go/reflect2
packaged=/usr/share/gocode/src/github.com/modern-go/reflect2
rm -f "$vendored"/*.go "$vendored"/*.s
cp "$packaged"/*.go "$packaged"/*.s "$vendored"/
rm -f "$vendored"/*_test.go

cat > /mnt/version.sh << V
KUBE_GIT_COMMIT=faecb196815e248d3ecfb03c680a4507229c2a56
KUBE_GIT_TREE_STATE=clean
KUBE_GIT_VERSION=$version
KUBE_GIT_MAJOR=1
KUBE_GIT_MINOR=20
V
export PATH=/usr/lib/go-1.19/bin:$PATH HOME=/mnt GOCACHE=/mnt/go-cache TMPDIR=/mnt
export GO111MODULE=off CGO_ENABLED=0 KUBE_BUILD_PLATFORMS=linux/amd64
export KUBE_GIT_VERSION_FILE=/mnt/version.sh SOURCE_DATE_EPOCH=1610544000 GOLDFLAGS='-s -w'
names='kubeadm kubelet kubectl kube-apiserver kube-controller-manager kube-scheduler kube-proxy'
# shellcheck disable=SC2086 # one word a program
make WHAT="$(printf 'cmd/%s ' $names)" >&2
for name in $names; do mv "_output/local/bin/linux/amd64/$name" /mnt/out/; done
