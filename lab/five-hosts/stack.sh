#!/bin/bash
# A shop on five hosts with a network between them: network namespaces on a bridge, each with a resolver and a firewall of its
# own, and servers that nobody here wrote.
#
#   client -> edge:   haproxy :80 -> web on both app hosts; dnsmasq :53 answers for *.shop
#   app1, app2:       web (Node :8080) -> the address of the service catalog, translated to one of both hosts as in a cluster,
#                     and account; catalog (gunicorn :8081) -> redis, postgres, with pools
#   store:            PostgreSQL :5432, Redis :6379
#   ledger:           account (php-fpm behind nginx :8082) -> MariaDB :3306, a connection for each request
#
#   stack.sh up|down        FOLDER keeps its files: $FIVE_HOSTS, by default five-hosts in the temporary folder
#   stack.sh load RATE S    requests of the client; stack.sh on HOST COMMAND... runs a command on a host
#   stack.sh fault NAME S   breaks it for so many seconds and mends it; stack.sh faults lists the names
#
# Needs root; what else it needs, up names.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=${FIVE_HOSTS:-${TMPDIR:-/tmp}/five-hosts}
front=haproxy
. "$here/../stack-common.sh"
. "$here/network.sh"
. "$here/servers.sh"
. "$here/faults.sh"

case ${1:-} in
up) up ;;
down) down ;;
load) on client node "$here/load.mjs" "${2:?requests per second}" "${3:?seconds}" ;;
on) shift && on "$@" ;;
faults) list_faults ;;
fault) fault "${2:?which}" "${3:?how many seconds}" ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$here/stack.sh"; exit 2 ;;
esac
