# Read from standard input: prints the certificates that this control plane uses, "file PATH" before each; no key. Ends with an
# error when one that is there cannot be read.
set -e
for file in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt; do
  [ -e "$file" ] || continue
  echo "file $file"
  cat "$file"
done
for file in /etc/kubernetes/*.conf; do
  [ -e "$file" ] || continue
  data=$(sed -n 's/^ *client-certificate-data: *//p' "$file")
  [ -n "$data" ] || continue
  echo "file $file"
  echo "$data" | base64 -d
done
file=/var/lib/kubelet/pki/kubelet-client-current.pem
if [ -e "$file" ]; then
  echo "file $file"
  sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$file"
fi
