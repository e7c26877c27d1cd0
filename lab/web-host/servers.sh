# Starts and stops the servers of stack.sh, which sets $here and $dir. Each has a file with its pid.

say() { echo "stack.sh: $1" >&2; }
pg_bin() { ls -d /usr/lib/postgresql/*/bin | tail -1; }
psql() { "$(pg_bin)/psql" -q -h 127.0.0.1 -p "${2:-5442}" -U postgres "${3:-shop}" -c "$1"; }
mysql() { mariadb -S "$dir/my/sock" -e "$1"; }

need() {
  local missing=0 command package
  while read -r command package; do
    command -v "$command" >/dev/null && continue
    say "$command is missing. Mend: $package"
    missing=1
  done <<'END'
nginx apt-get install nginx
redis-server apt-get install redis-server
mariadbd apt-get install mariadb-server
pgbouncer apt-get install pgbouncer
php-fpm8.2 apt-get install php8.2-fpm
javac apt-get install openjdk-17-jdk-headless
mvn apt-get install maven
node apt-get install nodejs
curl apt-get install curl
ss apt-get install iproute2
gunicorn pip install gunicorn
END
  [ -n "$(pg_bin 2>/dev/null)" ] || { say 'PostgreSQL is missing. Mend: apt-get install postgresql'; missing=1; }
  php -m | grep -qx pdo_mysql || { say 'pdo_mysql of PHP is missing. Mend: apt-get install php8.2-mysql'; missing=1; }
  python3 -c 'import flask, psycopg2, redis, requests' 2>/dev/null ||
    { say 'a Python package is missing. Mend: pip install flask psycopg2-binary redis requests'; missing=1; }
  [ "$(id -u)" = 0 ] || { say 'expected root. Mend: sudo'; missing=1; }
  return $missing
}

# Files with pids outlive a crash of the machine: a pid counts only while its process is one of this folder.
pid_file() {
  case $1 in
  postgres) echo "$dir/pg/postmaster.pid" ;;
  bouncer) echo "$dir/bouncer/pid" ;;
  mariadb) echo "$dir/my/pid" ;;
  *) echo "$dir/$1.pid" ;;
  esac
}
pid_of() {
  local pid
  pid=$(head -1 "$(pid_file "$1")" 2>/dev/null) && [ -n "$pid" ] || return 1
  case "$(readlink "/proc/$pid/cwd" 2>/dev/null)/ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" in
  *"$dir"/*) echo "$pid" ;;
  *) return 1 ;;
  esac 2>/dev/null
}
# By its pid; a port that somebody else listens on would be taken for ours.
running() {
  pid_of "$1" >/dev/null && return 0
  [ -z "${2:-}" ] || [ -z "$(ss -Hltn "sport = :$2")" ] && return 1
  say "port $2 of $1 is taken. Mend: end who listens there (ss -ltnp), perhaps stack.sh down with another WEB_HOST"
  exit 1
}
children() { local pid; pid=$(pid_of "$1") && pgrep -P "$pid" || true; }
family() { pid_of "$1" && children "$1" || true; }

await() {
  local name=$1
  shift
  for _ in $(seq 150); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.2
  done
  say "$name did not answer within 30 s: $*. Mend: read $dir/*.log, then stack.sh down and up"
  return 1
}
configure() { sed "s#@DIR@#$dir#g" "$here/$1" >"$dir/$1"; }

# Run by other users than root, which must be able to reach the folder.
own() { mkdir -p "$dir/$2" && chown "$1" "$dir/$2"; }
reachable() {
  local user
  for user in www-data postgres mysql; do
    su -s /bin/sh "$user" -c "test -x $dir" || { say "$user cannot reach $dir. Mend: WEB_HOST=... of a folder that all may enter"; return 1; }
  done
}

start_postgres() {
  running postgres 5442 && return 0
  own postgres pg
  [ -f "$dir/pg/PG_VERSION" ] || su postgres -c "$(pg_bin)/initdb -A trust -D $dir/pg" >/dev/null
  su postgres -c "$(pg_bin)/pg_ctl -D $dir/pg -l $dir/pg/log -w start -o '-p 5442 -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir/pg -c max_parallel_workers_per_gather=0'" >/dev/null
}
fill_postgres() {
  psql "select 1 from pg_database where datname = 'shop'" 5442 postgres | grep -q '1 row' ||
    "$(pg_bin)/createdb" -h 127.0.0.1 -p 5442 -U postgres shop
  "$(pg_bin)/psql" -q -h 127.0.0.1 -p 5442 -U postgres -f "$here/schema.sql" shop
}
start_bouncer() {
  running bouncer 6432 && return 0
  own postgres bouncer
  configure pgbouncer.ini
  printf '"%s" ""\n' postgres orders shop >"$dir/pgbouncer.users"
  pgbouncer -q -d -u postgres "$dir/pgbouncer.ini"
}
start_redis() {
  running redis 6390 && return 0
  redis-server --port 6390 --bind 127.0.0.1 --save '' --daemonize yes --dir "$dir" --pidfile "$dir/redis.pid" --logfile redis.log >/dev/null
}
start_mariadb() {
  running mariadb 3316 && return 0
  own mysql my
  [ -d "$dir/my/mysql" ] || mariadb-install-db --user=mysql --datadir="$dir/my" --skip-test-db >/dev/null 2>&1
  mariadbd --user=mysql --datadir="$dir/my" --port=3316 --bind-address=127.0.0.1 --socket="$dir/my/sock" --pid-file="$dir/my/pid" >"$dir/mariadb.log" 2>&1 &
  await mariadb mysql 'select 1'
}
fetch_jars() {
  rm -rf "$dir/jars.new"
  mvn -q -B -f "$here/orders/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$dir/jars.new" >"$dir/maven.log" 2>&1 ||
    { say "the jars of orders could not be fetched, see $dir/maven.log. Mend: check access to a Maven repository"; return 1; }
  mv "$dir/jars.new" "$dir/jars"
}
build_orders() {
  [ -d "$dir/jars" ] || fetch_jars
  javac -d "$dir/classes" -cp "$dir/jars/*" "$here"/orders/*.java
  echo "Class-Path: $(cd "$dir" && echo jars/*.jar)" | fold -s -w 70 | sed '2,$s/^/ /' >"$dir/manifest"
  jar --create --file "$dir/orders.jar" --manifest "$dir/manifest" --main-class Orders -C "$dir/classes" .
}
start_orders() {
  running orders 8301 && return 0
  (cd "$dir" && exec java -Xmx96m -Dsun.net.httpserver.nodelay=true -Drelease="${1:-good}" -jar orders.jar >>orders.log 2>&1) &
  echo $! >"$dir/orders.pid"
  await orders curl -sf 127.0.0.1:8301/orders/1
}
start_shop() {
  running shop && return 0
  cp "$here/shop.py" "$dir"
  (cd "$dir" && exec gunicorn -w 2 --threads 4 -k gthread -b "unix:$dir/shop.sock" --log-level warning shop:app >>shop.log 2>&1) &
  echo $! >"$dir/shop.pid"
  await shop curl -sf --unix-socket "$dir/shop.sock" http://shop/shop/order/1
}
start_reviews() {
  running reviews && return 0
  cp "$here/reviews.php" "$dir"
  configure php-fpm.conf
  php-fpm8.2 -y "$dir/php-fpm.conf"
}
start_api() {
  running api 8302 && return 0
  cp "$here/api.mjs" "$dir"
  (cd "$dir" && exec node api.mjs >>api.log 2>&1) &
  echo $! >"$dir/api.pid"
}
start_nginx() {
  running nginx 8200 && return 0
  configure nginx.conf
  nginx -c "$dir/nginx.conf"
}

up() {
  need
  mkdir -p "$dir" && chmod 755 "$dir" && reachable
  start_postgres
  fill_postgres
  start_bouncer
  start_redis
  start_mariadb
  mariadb -S "$dir/my/sock" <"$here/reviews.sql"
  build_orders
  start_orders
  start_shop
  start_reviews
  start_api
  start_nginx
  for path in shop/category/1 shop/order/1 reviews/of/1 api/orders/1; do await nginx curl -sf "127.0.0.1:8200/$path"; done
}

# Who ended and whose parent has not looked yet does not run.
runs() { [ -d "/proc/$1" ] && ! grep -qs '^State:.Z' "/proc/$1/status"; }
# Asks first, and goes on without an answer after five seconds.
stop() {
  local name=$1 signal=${2:-TERM} pids pid
  pids=$(family "$name")
  [ -n "$pids" ] || return 0
  kill -CONT $pids 2>/dev/null || true
  kill "-$signal" "$(echo "$pids" | head -1)" 2>/dev/null || true
  for pid in $pids; do
    for _ in $(seq 50); do runs "$pid" || continue 2; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
  done
}

down() {
  rm -f $(flags)
  for name in nginx api shop reviews orders redis mariadb bouncer; do stop "$name"; done
  stop postgres INT
  rmdir "$cpu" 2>/dev/null || true
}
