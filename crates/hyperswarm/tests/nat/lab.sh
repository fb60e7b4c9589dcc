#!/bin/sh
# Two peers, each behind a NAT of its own, and a node of the DHT between them that everybody reaches.
#
# usage: lab.sh NODE A KIND-OF-A B KIND-OF-B PATIENCE, where a kind is none, full-cone, port-restricted
# or symmetric. A announces, B looks for it; what B prints is printed, once it says "echoed" or PATIENCE
# seconds after it said "found". NODE, A and B are programs with the arguments of examples/peer.rs.
#
# usage: lab.sh NODE A KIND-OF-A, where A says how others see it.
#
# It has to run in network and mount namespaces of its own, as root there (unshare -rnm): it makes
# further ones, and nothing of it is seen outside. The namespace it starts in is the public network.
#
#   a 10.11.0.2 -- 10.11.0.1 na 198.51.100.11 --+-- 198.51.100.1, the node
#   b 10.12.0.2 -- 10.12.0.1 nb 198.51.100.12 --+
set -eu
node=$1
mount -t tmpfs tmpfs /run

ip link set lo up
ip link add public type bridge
ip addr add 198.51.100.1/24 dev public
ip link set public up

# make_side NAME NUMBER KIND
make_side() {
  if [ "$3" = none ]; then
    ip netns add "$1"
    ip link add "public-$1" type veth peer name eth0 netns "$1"
    ip link set "public-$1" master public up
    ip -n "$1" addr add "198.51.100.$2/24" dev eth0
    for device in lo eth0; do ip -n "$1" link set "$device" up; done
    return
  fi
  nat=n$1
  ip netns add "$1"
  ip netns add "$nat"
  ip link add "public-$1" type veth peer name wan netns "$nat"
  ip link set "public-$1" master public up
  ip link add lan netns "$nat" type veth peer name eth0 netns "$1"
  ip -n "$nat" addr add "198.51.100.$2/24" dev wan
  ip -n "$nat" addr add "10.$2.0.1/24" dev lan
  ip -n "$1" addr add "10.$2.0.2/24" dev eth0
  for device in lo wan lan; do ip -n "$nat" link set "$device" up; done
  for device in lo eth0; do ip -n "$1" link set "$device" up; done
  ip -n "$1" route add default via "10.$2.0.1"
  ip netns exec "$nat" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  how=
  forward='iifname "wan" ct state new drop'
  inward=
  case $3 in
    symmetric) how='random,fully-random' ;;
    port-restricted) ;;
    full-cone)
      # Whatever comes to the public address goes to the peer. Over UDP alone, since TCP to it would
      # need no punching at all.
      forward="iifname \"wan\" ip protocol tcp ct state new drop"
      inward="chain inward { type nat hook prerouting priority -100;
        iifname \"wan\" udp dport 1024-65535 dnat to 10.$2.0.2; }" ;;
    *) echo "no such kind: $3" >&2; exit 2 ;;
  esac
  # The second chain matters: a packet of the other side that comes early must leave no trace in the
  # NAT, or what goes out later is given another port.
  ip netns exec "$nat" nft -f - <<RULES
table ip translate {
  chain outward { type nat hook postrouting priority 100; oifname "wan" masquerade $how; }
  $inward
}
table ip guard {
  chain through { type filter hook forward priority 0; $forward; }
  chain itself { type filter hook input priority 0; iifname "wan" ct state new drop; }
}
RULES
}

# await WORD FILE SECONDS: until somebody has written it there, or so long.
await() {
  timeout "$3" sh -c "until grep -q $1 $2; do sleep 0.1; done"
}

# start NUMBER: one more node, at an address of its own.
start() {
  "$node" node "198.51.100.$1:49737" $2 > "/run/node-$1" &
  await listening "/run/node-$1" 60
}

start 1 ""
make_side a 11 "$3"
if [ $# -eq 3 ]; then
  # Three have to agree on what they see.
  for number in 2 3 4; do
    ip addr add "198.51.100.$number/24" dev public
    start $number 198.51.100.1:49737
  done
  exec timeout 30 ip netns exec a "$2" status 198.51.100.1:49737
fi
make_side b 12 "$5"
ip netns exec a "$2" announce nat 198.51.100.1:49737 > /run/a &
# Starting a program may take a while on a busy machine.
await announced /run/a 60
ip netns exec b "$4" lookup nat 198.51.100.1:49737 > /run/b &
await found /run/b 60 || true
await echoed /run/b "$6" || true
cat /run/b
