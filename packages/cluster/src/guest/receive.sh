# Sent as one word of a command (formation/kubeadm-job.ts); an archive of the job's files comes on standard input. Starts the job,
# or finds one under way, and follows it. The files hold keys: they wait in memory only (/run), and for root alone.
set -eu
umask 077
folder=/run/labwright-kubeadm
mkdir -p "$folder"
cd "$folder"
if systemctl is-active --quiet labwright-kubeadm.service; then
  cat > /dev/null
  echo 'labwright: attached'
else
  tar -x -f -
  . ./start.sh
fi
. ./follow.sh
