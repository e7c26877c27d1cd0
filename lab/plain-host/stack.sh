#!/bin/bash
# A shop of well-known servers on this host, without containers or namespaces: load -> nginx -> haproxy -> gunicorn (two
# copies, Flask) -> PostgreSQL, Redis; haproxy -> pay (Go) -> haproxy, MariaDB. All listen on loopback.
#
#   stack.sh up|down        FOLDER keeps its files: $PLAIN_HOST, by default plain-host in the temporary folder
#   stack.sh fault NAME S   breaks it for so many seconds and mends it; stack.sh faults lists the names
#
# Needs root, Debian's postgresql redis-server mariadb-server nginx haproxy, Go, and gunicorn flask psycopg2-binary redis of pip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${PLAIN_HOST:-${TMPDIR:-/tmp}/plain-host}
pg_bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
cpu=/sys/fs/cgroup/cpu/plain-host
memory=/sys/fs/cgroup/memory/plain-host

psql() { "$pg_bin/psql" -q -h 127.0.0.1 -U postgres shop -c "$1"; }
mysql() { mariadb -S "$dir/my/sock" "${2:-shop}" -e "$1" >/dev/null; }
copies() { for port in "$@"; do cat "$dir/$port.pid"; pgrep -P "$(cat "$dir/$port.pid")" || true; done; }
workers() { for port in "$@"; do pgrep -P "$(cat "$dir/$port.pid")" || true; done; }

start_postgres() {
  su postgres -c "$pg_bin/pg_ctl -D $dir/pg -l $dir/pg/log -w start -o '-c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir/pg'" >/dev/null
}
start_pay() { (cd "$dir" && PAY_SLEEP=${1:-} exec ./pay >pay.log 2>&1) & echo $! >"$dir/pay.pid"; }
stop_pay() { kill "$(cat "$dir/pay.pid")"; while kill -0 "$(cat "$dir/pay.pid")" 2>/dev/null; do sleep 0.05; done; }
start_haproxy() { haproxy -D -f "$dir/$1" -p "$dir/haproxy.pid" ${2:+-sf "$2"}; }

up() {
  mkdir -p "$dir" && chmod 755 "$dir"
  cp "$here/catalog.py" "$here/haproxy.cfg" "$dir"
  sed 's/:8101/:8103/; s/:8102/:8104/' "$here/haproxy.cfg" >"$dir/haproxy-wrong.cfg"
  sed "s#@DIR@#$dir#g" "$here/nginx.conf" >"$dir/nginx.conf"
  (cd "$here/pay" && go build -o "$dir/pay" .)
  if [ ! -d "$dir/pg" ]; then
    mkdir "$dir/pg" && chown postgres "$dir/pg"
    su postgres -c "$pg_bin/initdb -A trust -D $dir/pg" >/dev/null
  fi
  start_postgres
  if ! "$pg_bin/psql" -h 127.0.0.1 -U postgres -tc "select 1 from pg_database where datname = 'shop'" | grep -q 1; then
    "$pg_bin/createdb" -h 127.0.0.1 -U postgres shop
    psql "create table items as select g id, 'item '||g as name, g%97 as price, 't'||(g%500) as tag from generate_series(0,199999) g;
          alter table items add primary key(id); create index items_tag on items(tag); analyze items"
  fi
  redis-server --port 6379 --bind 127.0.0.1 --save '' --daemonize yes --pidfile "$dir/redis.pid" >/dev/null
  if [ ! -d "$dir/my" ]; then
    mkdir "$dir/my" && chown mysql "$dir/my"
    mariadb-install-db --user=mysql --datadir="$dir/my" --skip-test-db >/dev/null 2>&1
  fi
  mariadbd --user=mysql --datadir="$dir/my" --port=3306 --bind-address=127.0.0.1 --socket="$dir/my/sock" --pid-file="$dir/my/pid" >"$dir/my.log" 2>&1 &
  for _ in 1 2 3 4 5 6 7 8 9 10; do mysql 'select 1' mysql 2>/dev/null && break || sleep 1; done
  mysql "create database if not exists shop; create user if not exists shop@'127.0.0.1' identified by 'shop'; create user if not exists shop@localhost identified by 'shop';
         grant all on shop.* to shop@'127.0.0.1'; grant all on shop.* to shop@localhost;
         create table if not exists shop.payments(id int auto_increment primary key, item int, amount int, key(item))" mysql
  cd "$dir"
  for port in 8101 8102; do
    gunicorn -w 2 --threads 4 -k gthread -b 127.0.0.1:$port catalog:app --log-level warning >"$port.log" 2>&1 &
    echo $! >"$port.pid"
  done
  start_pay
  start_haproxy haproxy.cfg
  nginx -c "$dir/nginx.conf"
  sleep 2
  curl -sf 127.0.0.1:8000/api/items/5 && curl -sf 127.0.0.1:8000/pay/1 && echo
}

down() {
  nginx -c "$dir/nginx.conf" -s quit || true
  for file in haproxy.pid pay.pid 8101.pid 8102.pid redis.pid my/pid; do kill "$(cat "$dir/$file")" 2>/dev/null || true; done
  su postgres -c "$pg_bin/pg_ctl -D $dir/pg -m fast stop" >/dev/null || true
  sleep 1
  rmdir "$cpu" "$memory" 2>/dev/null || true
}

move() { for pid in $(copies 8101 8102); do echo "$pid" >"$1/cgroup.procs"; done; }

# What each fault does, and what mends it.
break_() {
  case $1 in
  locked-table) timeout "$2" "$pg_bin/psql" -q -h 127.0.0.1 -U postgres shop -c "begin; lock table items in access exclusive mode; select pg_sleep($2)" >/dev/null || true ;;
  locked-payments) mysql "lock tables payments write; select sleep($2); unlock tables" ;;
  read-lock) mysql "flush tables with read lock; select sleep($2); unlock tables" ;;
  read-only) mysql 'set global read_only = 1' ;;
  database-down) su postgres -c "$pg_bin/pg_ctl -D $dir/pg -m immediate stop" >/dev/null ;;
  renamed-table) psql 'alter table items rename to items_old' ;;
  dropped-index) psql 'drop index items_tag' ;;
  stopped-redis) kill -STOP "$(cat "$dir/redis.pid")" ;;
  full-redis) redis-cli config set maxmemory 1mb >/dev/null ;;
  stopped-copy) kill -STOP $(copies 8101) ;;
  stopped-service) kill -STOP $(copies 8101 8102) ;;
  quota) mkdir -p "$cpu" && move "$cpu" && echo 10000 >"$cpu/cpu.cfs_quota_us" ;;
  leak) mkdir -p "$memory" && move "$memory" && echo 400M >"$memory/memory.limit_in_bytes" && touch "$dir/leak" ;;
  crash) end=$((SECONDS + $2)); while [ $SECONDS -lt $end ]; do kill -9 $(workers 8101 8102) || true; sleep 3; done ;;
  killed-pay) kill -9 "$(cat "$dir/pay.pid")" ;;
  slow-pay) stop_pay && start_pay 40ms ;;
  wrong-port) start_haproxy haproxy-wrong.cfg "$(cat "$dir/haproxy.pid")" ;;
  lossy-payments) iptables -A OUTPUT -p tcp --dport 3306 -m statistic --mode random --probability 0.3 -j DROP ;;
  filtered-payments) iptables -A OUTPUT -p tcp --dport 3306 -j DROP ;;
  surge) timeout "$2" node "$here/load.mjs" 240 "$2" >/dev/null || true ;;
  neighbour) cp /bin/dash "$dir/nightly-report"; for _ in 1 2 3 4 5 6; do timeout "$2" "$dir/nightly-report" -c 'while :; do :; done' & done ;;
  *) echo "stack.sh: no fault $1; stack.sh faults lists them" >&2; exit 2 ;;
  esac
}

mend() {
  case $1 in
  read-only) mysql 'set global read_only = 0' ;;
  database-down) start_postgres ;;
  renamed-table) psql 'alter table items_old rename to items' ;;
  dropped-index) psql 'create index items_tag on items(tag)' ;;
  stopped-redis) kill -CONT "$(cat "$dir/redis.pid")" ;;
  full-redis) redis-cli config set maxmemory 0 >/dev/null ;;
  stopped-copy) kill -CONT $(copies 8101) ;;
  stopped-service) kill -CONT $(copies 8101 8102) ;;
  quota) move /sys/fs/cgroup/cpu && rmdir "$cpu" ;;
  leak) rm "$dir/leak" && kill $(workers 8101 8102) && sleep 3 && move /sys/fs/cgroup/memory && rmdir "$memory" ;;
  killed-pay) start_pay ;;
  slow-pay) stop_pay && start_pay ;;
  wrong-port) start_haproxy haproxy.cfg "$(cat "$dir/haproxy.pid")" ;;
  lossy-payments) iptables -D OUTPUT -p tcp --dport 3306 -m statistic --mode random --probability 0.3 -j DROP ;;
  filtered-payments) iptables -D OUTPUT -p tcp --dport 3306 -j DROP ;;
  esac
}

fault() {
  local began=$SECONDS
  echo "$(date +%s) $1 begins"
  # Whatever happens, the host is left whole.
  trap 'mend "$1"' EXIT
  break_ "$1" "$2"
  [ $((SECONDS - began)) -ge "$2" ] || sleep $(($2 - SECONDS + began))
  trap - EXIT
  mend "$1"
  echo "$(date +%s) $1 ends"
}

case ${1:-} in
up) up ;;
down) down ;;
faults) sed -n '/^break_()/,/^}/s/^  \([a-z-]*\)).*/\1/p' "$here/stack.sh" ;;
fault) fault "${2:?which}" "${3:?how many seconds}" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$here/stack.sh"; exit 2 ;;
esac
