# The order on the kernel command line, and the network interface it names.

# read_order: every word the boot server must give; a gap is a mistake there, and nothing is touched.
read_order() {
  url=$(kernel_argument labwright.url)
  lab=$(kernel_argument labwright.lab)
  machine=$(kernel_argument labwright.machine)
  generation=$(kernel_argument labwright.generation)
  mac=$(kernel_argument labwright.mac)
  address=$(kernel_argument labwright.address)
  gateway=$(kernel_argument labwright.gateway)
  resolvers=$(kernel_argument labwright.resolvers)
  url=${url%/}
  # http://SERVER:8080/b/TOKEN -> http://SERVER:8080
  path=${url#*://}
  server=${url%%://*}://${path%%/*}
  for word in lab machine generation mac address; do
    eval "value=\$$word"
    [ -n "$value" ] || fail "the kernel command line has no labwright.$word"
  done
  case $generation in
    *[!0-9]*) fail "labwright.generation=$generation is not a number" ;;
  esac
}

find_interface() {
  for candidate in /sys/class/net/*; do
    [ -e "$candidate/device" ] || continue
    if [ "$(cat "$candidate/address")" = "$mac" ]; then
      interface=${candidate##*/}
      return 0
    fi
  done
  return 1
}

carrier_is_up() {
  [ "$(cat "/sys/class/net/$interface/carrier" 2> /dev/null)" = 1 ]
}

bring_up_network() {
  mac=$(echo "$mac" | tr 'A-F-' 'a-f:')
  wait_for 10 find_interface || fail "no network interface has the address $mac (there are: $(cat /sys/class/net/*/address | tr '\n' ' '))"
  ip link set lo up
  ip link set "$interface" up
  wait_for 20 carrier_is_up || fail "$interface ($mac) has no link; is the cable or the bridge connected?"
  ip address add "$address" dev "$interface" || fail "$interface does not take the address $address"
  if [ -n "$gateway" ]; then ip route add default via "$gateway" dev "$interface" || fail "$interface does not take the gateway $gateway"; fi
  : > /etc/resolv.conf
  for resolver in $(echo "$resolvers" | tr ',' ' '); do echo "nameserver $resolver" >> /etc/resolv.conf; done
}
