# What breaks the stack of stack.sh, and what mends it. Whatever a fault runs in the background is ended before it is mended.

# Rules of nft. lossy PERCENT FROM TO: what is lost of the packets from one host to another, or to any; gone: all of them.
lossy() { echo "${2:+ip saddr $(address "$2")} ${3:+ip daddr $(address "$3")} numgen random mod 100 < $1 counter drop"; }
gone() { echo "${1:+ip saddr $(address "$1")} ${2:+ip daddr $(address "$2")} counter drop"; }
# The link of a host carries so many bits a second, and its queue so many bytes.
slow_link() {
  switch tc qdisc add dev "$1" root tbf rate "$2" burst 16kb limit 100kb
  on "$1" tc qdisc add dev eth0 root tbf rate "$2" burst 16kb limit 100kb
}
# Packets to a host wait so many milliseconds.
far() {
  on "$1" iptables -w -t mangle -I PREROUTING -i eth0 -p tcp -j NFQUEUE --queue-num 7 --queue-bypass
  stay_on "$1" python3 -u "$here/../network/delay_queue.py" 7 "$2" >/dev/null
}
pids_on() { ip netns pids "fh-$1"; }
lock_items() { stay_on store "$(pg_bin)/psql" -q -h 127.0.0.1 -U postgres shop -c "begin; lock table items; select pg_sleep($1)" >/dev/null 2>&1; }
catalog_at() { for host in app1 app2; do translate $host "$(address app1):8081" "$1"; done; }

# Each returns at once, with what goes on in the background. The remark is what stack.sh faults tells.
break_() {
  case $1 in
  lossy-store) on_the_way "$(lossy 5 store)" "$(lossy 5 '' store)" ;; # the switch loses 5 % of the packets to and from store
  lossy-pair) on_the_way "$(lossy 8 app1 ledger)" "$(lossy 8 ledger app1)" ;; # the switch loses 8 % between app1 and ledger
  lossy-back) on_the_way "$(lossy 10 store app2)" ;; # the switch loses 10 % from store to app2, nothing on the way there
  slow-link) slow_link store 1mbit ;; # the link of store carries 1 Mbit/s
  black-hole) on_the_way "ip saddr $(address store) ip length > 1400 counter drop" ;; # large packets from store are lost, small ones pass
  far-away) far ledger 15 & ;; # packets to ledger wait 15 ms
  rejected) firewall store input "ip saddr $(address app2) tcp dport 5432 counter reject with tcp reset" ;; # the firewall of store refuses app2 at PostgreSQL
  filtered) firewall store input "ip saddr $(address app1) tcp dport 6379 counter drop" ;; # the firewall of store swallows what app1 sends to Redis
  cut-off) on_the_way "$(gone ledger)" "$(gone '' ledger)" ;; # ledger is cut off from the network
  frozen-host) kill -STOP $(pids_on ledger) ;; # everything on ledger stands still
  stale-address) catalog_at 10.77.0.9:8081 ;; # one of the two addresses behind the service catalog is nobody's any more
  wrong-member) catalog_at "$(address store):8081" ;; # one of them is a host where nobody listens
  dns-silent) kill -STOP $(pid_of dns) ;; # the resolver does not answer
  dns-wrong) stop dns && start_dns mariadb.shop ;; # the resolver knows no mariadb.shop any more
  ports-used-up) on ledger sysctl -qw net.ipv4.ip_local_port_range='40000 40060' ;; # ledger has 60 ports for its own connections
  files-used-up) prlimit --nofile=20: --pid $(pid_of web-app1) ;; # web on app1 may open no more files
  copy-slow) touch "$dir/app2/slow" ;; # catalog on app2 computes 30 ms more
  copy-killed) kill -KILL $(family catalog-app1) ;; # catalog on app1 is killed
  locked-items) lock_items "$2" & ;; # PostgreSQL: a session holds the table items
  *) say "no fault $1; stack.sh faults lists them"; exit 2 ;;
  esac
}

# May come after a fault that began by half.
mend() {
  kill $(jobs -p) 2>/dev/null || true
  clear_filters
  rm -f "$dir"/app?/slow
  case $1 in
  slow-link) switch tc qdisc del dev store root; on store tc qdisc del dev eth0 root ;;
  far-away) on ledger iptables -w -t mangle -F PREROUTING ;;
  frozen-host) kill -CONT $(pids_on ledger) ;;
  stale-address | wrong-member) catalog_at "$(address app2):8081" ;;
  dns-silent) kill -CONT $(pid_of dns) ;;
  dns-wrong) stop dns && start_dns ;;
  ports-used-up) on ledger sysctl -qw net.ipv4.ip_local_port_range='32768 60999' ;;
  files-used-up) prlimit --nofile=4096: --pid $(pid_of web-app1) ;;
  copy-killed) start_catalog app1 ;;
  locked-items) psql "select pg_terminate_backend(pid) from pg_stat_activity where query like 'begin; lock%'" >/dev/null ;;
  esac
}
