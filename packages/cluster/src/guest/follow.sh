# Prints the job's log from its beginning until its last line, "labwright: ended CODE"; a job that is gone without one was killed.
pid=$(systemctl show --property=MainPID --value labwright-kubeadm.service)
if [ "${pid:-0}" = 0 ]; then
  cat log
else
  tail -n +1 -f -s 0.5 --pid="$pid" log
fi
