# Starts and stops the servers of stack.sh, each on its host. Each has a file with its pid.

psql() { on store "$(pg_bin)/psql" -q -h 127.0.0.1 -U postgres "${2:-shop}" -c "$1"; }
mysql() { mariadb -S "$dir/my/sock" -e "$1"; }

need() {
  local missing=0
  need_commands <<'END' || missing=1
haproxy apt-get install haproxy
dnsmasq apt-get install dnsmasq-base
nginx apt-get install nginx
redis-server apt-get install redis-server
mariadbd apt-get install mariadb-server
php-fpm8.2 apt-get install php8.2-fpm
node apt-get install nodejs
nft apt-get install nftables
iptables apt-get install iptables
conntrack apt-get install conntrack
curl apt-get install curl
gunicorn pip install gunicorn
END
  php -m | grep -qx pdo_mysql || { say 'pdo_mysql of PHP is missing. Mend: apt-get install php8.2-mysql'; missing=1; }
  python3 -c 'import flask, psycopg2, redis' 2>/dev/null ||
    { say 'a Python package is missing. Mend: pip install flask psycopg2-binary redis'; missing=1; }
  return $missing
}

pid_file() {
  case $1 in
  postgres) echo "$dir/pg/postmaster.pid" ;;
  mariadb) echo "$dir/my/pid" ;;
  *) echo "$dir/$1.pid" ;;
  esac
}
running() { pid_of "$1" >/dev/null; }

start_dns() {
  running dns && return 0
  configure dnsmasq.conf
  # A record that is to be missing.
  [ -z "${1:-}" ] || sed -i "/$1/s#/10[.0-9]*#/#" "$dir/dnsmasq.conf"
  stay_on edge dnsmasq -C "$dir/dnsmasq.conf" >"$dir/dns.log" 2>&1 &
  echo $! >"$dir/dns.pid"
}
start_postgres() {
  running postgres && return 0
  own postgres pg
  [ -f "$dir/pg/PG_VERSION" ] || {
    su postgres -c "$(pg_bin)/initdb -A trust -D $dir/pg" >/dev/null
    echo 'host all all 10.77.0.0/24 trust' >>"$dir/pg/pg_hba.conf"
  }
  on store su postgres -c "$(pg_bin)/pg_ctl -D $dir/pg -l $dir/pg/log -w start -o '-c listen_addresses=* -c unix_socket_directories=$dir/pg -c max_parallel_workers_per_gather=0 -c max_connections=60'" >/dev/null
}
fill_postgres() {
  psql "select 1 from pg_database where datname = 'shop'" postgres | grep -q '1 row' ||
    on store "$(pg_bin)/createdb" -h 127.0.0.1 -U postgres shop
  on store "$(pg_bin)/psql" -q -h 127.0.0.1 -U postgres shop <"$here/items.sql"
}
start_redis() {
  running redis && return 0
  on store redis-server --port 6379 --bind 0.0.0.0 --protected-mode no --save '' --daemonize yes --dir "$dir" --pidfile "$dir/redis.pid" --logfile redis.log >/dev/null
}
start_mariadb() {
  running mariadb && return 0
  own mysql my
  [ -d "$dir/my/mysql" ] || mariadb-install-db --user=mysql --datadir="$dir/my" --skip-test-db >/dev/null 2>&1
  stay_on ledger mariadbd --user=mysql --datadir="$dir/my" --port=3306 --bind-address=0.0.0.0 --skip-name-resolve --socket="$dir/my/sock" --pid-file="$dir/my/pid" >"$dir/mariadb.log" 2>&1 &
  await mariadb mysql 'select 1'
}
start_account() {
  running php || {
    configure account.php
    configure php-fpm.conf
    on ledger php-fpm8.2 -y "$dir/php-fpm.conf"
  }
  running nginx && return 0
  configure nginx.conf
  on ledger nginx -c "$dir/nginx.conf"
}
# Both copies have a folder of their own.
start_catalog() {
  running "catalog-$1" && return 0
  mkdir -p "$dir/$1"
  cp "$here/catalog.py" "$dir/$1"
  stay_on "$1" sh -c "cd $dir/$1 && exec gunicorn -w 2 --threads 6 -k gthread -b $(address "$1"):8081 --log-level warning catalog:app" >>"$dir/catalog-$1.log" 2>&1 &
  echo $! >"$dir/catalog-$1.pid"
  await "catalog on $1" on "$1" curl -sf "$(address "$1"):8081/catalog/item/1"
}
start_web() {
  running "web-$1" && return 0
  mkdir -p "$dir/$1"
  cp "$here/web.mjs" "$dir/$1"
  stay_on "$1" sh -c "cd $dir/$1 && exec node web.mjs" >>"$dir/web-$1.log" 2>&1 &
  echo $! >"$dir/web-$1.pid"
}
start_haproxy() {
  running haproxy && return 0
  configure haproxy.cfg
  on edge haproxy -D -f "$dir/haproxy.cfg"
}

up() {
  need
  mkdir -p "$dir" && chmod 755 "$dir" && reachable
  build_network
  start_dns
  start_postgres
  fill_postgres
  start_redis
  start_mariadb
  mariadb -S "$dir/my/sock" <"$here/accounts.sql"
  start_account
  for host in app1 app2; do start_catalog $host; start_web $host; done
  start_haproxy
  for path in item/1 list/1 account/1; do await haproxy on client curl -sf "10.77.0.1/$path"; done
}

down() {
  clear_filters
  rm -f "$dir"/app?/slow
  for name in haproxy web-app1 web-app2 catalog-app1 catalog-app2 nginx php mariadb redis dns; do stop "$name"; done
  stop postgres INT
  drop_network
}
