# What breaks the stack of stack.sh, and what mends it. Whatever a fault runs in the background is ended before it is mended.

cpu=/sys/fs/cgroup/cpu/web-host

flags() { for flag in shop-errors php-slow php-children event-loop api-crash leak garbage deadlock; do echo "$dir/$flag"; done; }
restart_orders() { stop orders "${2:-TERM}"; start_orders "$1"; }
move() { local pid; pid=$(pid_of orders) && echo "$pid" >"$1/cgroup.procs"; }
# A session of PostgreSQL with the name of the fault, by which it is ended.
session() { PGAPPNAME=fault psql "$1" >/dev/null 2>&1 || true; }
end_sessions() { psql "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fault'" >/dev/null; }
report() { session 'select a.product, count(distinct b.product) from lines a join lines b using (wish) group by a.product'; }
mysql_sessions() { for _ in $(seq "$1"); do mariadb -h 127.0.0.1 -P 3316 -u reviews -previews -e "select sleep($2)" >/dev/null 2>&1 & done; }
end_mysql_sessions() {
  local id
  for id in $(mariadb -S "$dir/my/sock" -Ne "select id from information_schema.processlist where info like '%select sleep(%' and info not like '%processlist%'"); do
    mysql "kill $id" 2>/dev/null || true
  done
}
# Harms nobody while there are six connections.
bookkeeping() { exec "$(pg_bin)/psql" -q -h 127.0.0.1 -p 6432 -U orders shop <<<'select count(*), pg_sleep(0.15) from stock where product = 1 \watch 0.3' >/dev/null 2>&1; }
bouncer() { psql "$1" 6432 pgbouncer >/dev/null; }

# Each returns at once, with what goes on in the background. The remark is what stack.sh faults tells.
break_() {
  case $1 in
  dropped-index) psql 'drop index lines_order' ;; # PostgreSQL: the index that finds the lines of an order is gone
  row-lock) session "begin; select from stock for update; select pg_sleep($2)" & ;; # PostgreSQL: a transaction holds the rows that purchases update
  report) for _ in 1 2 3 4 5 6 7 8; do report & done ;; # PostgreSQL: eight heavy reports take the processors
  pool-exhausted) touch "$dir/leak" ;; # orders: invoices do not give their connections back to the pool of six
  bouncer-pool) bouncer 'set default_pool_size = 1' && bookkeeping & ;; # pgbouncer: one connection for each user; a bookkeeper's transactions of 0.15 s need it too
  php-slow) touch "$dir/php-slow" ;; # reviews: each request sleeps 80 ms
  php-children) touch "$dir/php-children" ;; # reviews: one route sleeps 3 s and holds all six children
  php-stopped) kill -STOP $(family reviews) ;; # reviews: the pool is stopped (SIGSTOP)
  php-killed) kill -KILL $(family reviews) ;; # reviews: the pool is killed, its Unix socket refuses
  shop-stuck) kill -STOP $(children shop) ;; # shop: both workers are stopped (SIGSTOP)
  shop-errors) touch "$dir/shop-errors" ;; # shop: each request raises
  event-loop) touch "$dir/event-loop" ;; # api: one of three workers blocks its event loop for 200 ms a request
  api-crash) touch "$dir/api-crash" ;; # api: a worker dies of an exception at each third refund, about every second
  gc) touch "$dir/garbage" ;; # orders: the heap of 96 MB is nearly full
  deadlock) touch "$dir/deadlock" ;; # orders: two locks are taken in opposite order; mended by a restart
  cache-lost) redis-cli -p 6390 -r -1 -i 0.1 flushall >/dev/null & ;; # Redis: flushed ten times a second, all goes to the database
  mysql-connections) mysql_sessions 10 "$2" && sleep 1 && mysql 'set global max_connections = 10' ;; # MariaDB: ten connections allowed, all taken
  mysql-lock) mysql "use shop; lock tables reviews write; select sleep($2)" >/dev/null 2>&1 & ;; # MariaDB: the table is locked
  quota) mkdir -p "$cpu" && echo 3000 >"$cpu/cpu.cfs_quota_us" && move "$cpu" ;; # orders: a CPU quota of 3 % of a processor
  bad-release) restart_orders slow ;; # orders: restarted with a version that computes longer
  chatty-release) restart_orders chatty ;; # orders: restarted with a version that asks for lines one by one
  surge) node "$here/load.mjs" 480 "$2" >/dev/null & ;; # nginx: nine times the load
  *) say "no fault $1; stack.sh faults lists them"; exit 2 ;;
  esac
}

# May come after a fault that began by half.
mend() {
  kill $(jobs -p) 2>/dev/null || true
  rm -f $(flags)
  case $1 in
  dropped-index) psql 'create index if not exists lines_order on lines(order_id)' 2>/dev/null ;;
  row-lock | report) end_sessions ;;
  bouncer-pool) bouncer 'set default_pool_size = 6' ;;
  php-stopped) kill -CONT $(family reviews) ;;
  php-killed) start_reviews ;;
  shop-stuck) kill -CONT $(children shop) ;;
  deadlock) restart_orders good KILL ;;
  mysql-connections | mysql-lock) end_mysql_sessions && mysql 'set global max_connections = 151' ;;
  quota) move /sys/fs/cgroup/cpu && rmdir "$cpu" ;;
  bad-release | chatty-release) restart_orders good ;;
  esac
}
