# Starts and stops the servers of stack.sh, which sets $here and $dir. Each has a file with its pid.

psql() { "$(pg_bin)/psql" -q -h 127.0.0.1 -p "${2:-5442}" -U postgres "${3:-shop}" -c "$1"; }
mysql() { mariadb -S "$dir/my/sock" -e "$1"; }

need() {
  local missing=0
  need_commands <<'END' || missing=1
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
  php -m | grep -qx pdo_mysql || { say 'pdo_mysql of PHP is missing. Mend: apt-get install php8.2-mysql'; missing=1; }
  python3 -c 'import flask, psycopg2, redis, requests' 2>/dev/null ||
    { say 'a Python package is missing. Mend: pip install flask psycopg2-binary redis requests'; missing=1; }
  return $missing
}

pid_file() {
  case $1 in
  postgres) echo "$dir/pg/postmaster.pid" ;;
  bouncer) echo "$dir/bouncer/pid" ;;
  mariadb) echo "$dir/my/pid" ;;
  *) echo "$dir/$1.pid" ;;
  esac
}
# By its pid; a port that somebody else listens on would be taken for ours.
running() {
  pid_of "$1" >/dev/null && return 0
  [ -z "${2:-}" ] || [ -z "$(ss -Hltn "sport = :$2")" ] && return 1
  say "port $2 of $1 is taken. Mend: end who listens there (ss -ltnp), perhaps stack.sh down with another WEB_HOST"
  exit 1
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

down() {
  rm -f $(flags)
  for name in nginx api shop reviews orders redis mariadb bouncer; do stop "$name"; done
  stop postgres INT
  rmdir "$cpu" 2>/dev/null || true
}
