# What the machine says: on its console, and to the boot server as progress.

# kernel_argument NAME: its value on the kernel command line, or nothing.
kernel_argument() {
  for word in $(cat /proc/cmdline); do
    case $word in
      "$1="*) echo "${word#*=}" ;;
    esac
  done | tail -n 1
}

say() {
  echo "[$(cut -d ' ' -f 1 /proc/uptime)] labwright: $*" > /dev/console
}

# progress STAGE DETAIL...: for a person, so a server that does not answer stops nothing.
progress() {
  say "$*"
  timeout 5 wget -q -O /dev/null --header 'Content-Type: text/plain' --post-data "$*" "$url/progress" 2> /dev/null ||
    say "(the boot server did not take this message)"
}

# refuse WHY: stops for good, with the disk as it was found.
refuse() {
  progress refused "$*"
  say "Nothing was changed. Switch the machine off when you have read this."
  while :; do sleep 3600; done
}

# fail WHY: stops, and starts over after a minute; what is half done is recognised by its mark.
fail() {
  progress failed "$*"
  if [ "$(kernel_argument labwright.debug)" = shell ]; then
    say "a shell, because of labwright.debug=shell"
    setsid cttyhack /bin/sh
  fi
  say "starting again in 60 s"
  sleep 60
  reboot -f
}

memory_mib() {
  awk '/^MemTotal/ { printf "%d", $2 / 1024 }' /proc/meminfo
}
