# Hosts: namespaces fh-HOST with an address each, joined by a bridge in fh-switch. The machine itself is not attached.

hosts='edge app1 app2 store ledger client'
service_address=10.96.0.10

address() {
  case $1 in
  edge) echo 10.77.0.1 ;;
  app1) echo 10.77.0.2 ;;
  app2) echo 10.77.0.3 ;;
  store) echo 10.77.0.4 ;;
  ledger) echo 10.77.0.5 ;;
  client) echo 10.77.0.100 ;;
  esac
}
# In a mount namespace of its own too, with the resolver of the host.
on() { local host=$1; shift; ip netns exec "fh-$host" "$@"; }
# For the background: its pid is that of the command.
stay_on() { local host=$1; shift; exec ip netns exec "fh-$host" "$@"; }
switch() { ip netns exec fh-switch "$@"; }

# What a service of a cluster is to its callers: an address that is nobody's, translated to one of those behind it. Connections
# that were translated before keep that for a while, and those who come with the same port: forgotten here.
translate() {
  on "$1" nft -f - <<RULES
table ip services
delete table ip services
table ip services {
  chain output {
    type nat hook output priority -100;
    ip daddr $service_address tcp dport 80 dnat ip to numgen random mod 2 map { 0 : ${2/:/ . }, 1 : ${3/:/ . } }
  }
}
RULES
  on "$1" conntrack -F 2>/dev/null
}
build_network() {
  [ -e /run/netns/fh-switch ] && return 0
  local host
  ip netns add fh-switch
  switch ip link add name br type bridge
  switch ip link set dev br up
  for host in $hosts; do
    ip netns add "fh-$host"
    switch ip link add "$host" type veth peer name eth0 netns "fh-$host"
    switch ip link set dev "$host" master br up
    on "$host" ip link set lo up
    on "$host" ip addr add "$(address "$host")/24" dev eth0
    on "$host" ip link set eth0 up
    on "$host" ip route add default via 10.77.0.254
    mkdir -p "/etc/netns/fh-$host"
    echo "nameserver $(address edge)" >"/etc/netns/fh-$host/resolv.conf"
  done
  for host in app1 app2; do translate $host "$(address app1):8081" "$(address app2):8081"; done
}
drop_network() {
  local host
  for host in $hosts switch; do
    ip netns del "fh-$host" 2>/dev/null || true
    rm -rf "/etc/netns/fh-$host"
  done
}

# What the switch does with packets while a fault lasts: one rule an argument.
on_the_way() {
  local rule
  switch nft add table bridge fault
  switch nft add chain bridge fault forward '{ type filter hook forward priority 0; }'
  for rule in "$@"; do switch nft add rule bridge fault forward "$rule"; done
}
# What the firewall of a host does, by hook (input, output) and rule.
firewall() {
  on "$1" nft add table inet fault
  on "$1" nft add chain inet fault "$2" "{ type filter hook $2 priority 0; }"
  on "$1" nft add rule inet fault "$2" "$3"
}
clear_filters() {
  local host
  switch nft delete table bridge fault 2>/dev/null || true
  for host in $hosts; do on "$host" nft delete table inet fault 2>/dev/null || true; done
}
