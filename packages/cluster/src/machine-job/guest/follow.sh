# Sent as one word of a command (machine-job/followed-job.ts) with the words UNIT DESCRIPTION; an archive of the job comes on
# standard input. Starts the job as a unit of systemd, so that a lost connection or a killed Labwright does not end it, or finds
# one of its kind under way, and prints its log from its beginning until its last line, "labwright: ended CODE"; a job that is
# gone without one was killed. What it holds may be keys: it waits in memory only (/run), for root alone.
set -eu
umask 077
unit=$1
folder=/run/$unit
mkdir -p "$folder"
cd "$folder"
if systemctl is-active --quiet "$unit.service"; then
  cat > /dev/null
  echo "labwright: attached $(systemctl show --property=Description --value "$unit.service")"
else
  tar -x -f -
  . ./check.sh
  : > log
  systemd-run --quiet --collect --unit="$unit.service" --description="$2" --property=Type=exec \
    --property=StandardOutput="append:$folder/log" --property=StandardError="append:$folder/log" \
    --property=WorkingDirectory="$folder" /bin/sh ./run.sh
  echo 'labwright: started'
fi
pid=$(systemctl show --property=MainPID --value "$unit.service")
if [ "${pid:-0}" = 0 ]; then
  cat log
else
  tail -n +1 -f -s 0.5 --pid="$pid" log
fi
