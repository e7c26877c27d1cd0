#!/bin/bash
# A shop as it is run on plain hosts, over Unix sockets: load -> nginx -> gunicorn (shop, Unix socket), php-fpm (reviews,
# Unix socket), Node cluster (api). shop -> Redis, pgbouncer; shop and api -> orders (Java) -> pgbouncer -> PostgreSQL;
# reviews -> MariaDB. All listen on loopback, on ports of their own: lab/plain-host may run beside it.
#
#   stack.sh up|down        FOLDER keeps its files: $WEB_HOST, by default web-host in the temporary folder
#   stack.sh fault NAME S   breaks it for so many seconds and mends it; stack.sh faults lists the names
#
# Needs root; what else it needs, up names.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${WEB_HOST:-${TMPDIR:-/tmp}/web-host}
front=nginx
. "$here/../stack-common.sh"
. "$here/servers.sh"
. "$here/faults.sh"

case ${1:-} in
up) up ;;
down) down ;;
faults) list_faults ;;
fault) fault "${2:?which}" "${3:?how many seconds}" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$here/stack.sh"; exit 2 ;;
esac
