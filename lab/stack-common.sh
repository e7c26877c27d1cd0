# What the stacks of plain hosts share. Whoever sources it sets $here, $dir and $front (the server without which nothing is to
# break), and has pid_file NAME, break_ NAME SECONDS and mend NAME. Each server has a file with its pid.

say() { echo "stack.sh: $1" >&2; }
pg_bin() { ls -d /usr/lib/postgresql/*/bin | tail -1; }

# Lines "COMMAND MEND" on standard input.
need_commands() {
  local missing=0 command package
  while read -r command package; do
    command -v "$command" >/dev/null && continue
    say "$command is missing. Mend: $package"
    missing=1
  done
  [ -n "$(pg_bin 2>/dev/null)" ] || { say 'PostgreSQL is missing. Mend: apt-get install postgresql'; missing=1; }
  [ "$(id -u)" = 0 ] || { say 'expected root. Mend: sudo'; missing=1; }
  return $missing
}

# Files with pids outlive a crash of the machine: a pid counts only while its process is one of this folder.
pid_of() {
  local pid
  pid=$(head -1 "$(pid_file "$1")" 2>/dev/null) && [ -n "$pid" ] || return 1
  case "$(readlink "/proc/$pid/cwd" 2>/dev/null)/ $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" in
  *"$dir"/*) echo "$pid" ;;
  *) return 1 ;;
  esac 2>/dev/null
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
    su -s /bin/sh "$user" -c "test -x $dir" || { say "$user cannot reach $dir. Mend: set the folder to one that all may enter (stack.sh tells its variable)"; return 1; }
  done
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

# The remark behind each case of break_.
list_faults() { sed -n 's/^  \([a-z0-9-]*\)) .*;; # \(.*\)/\1\t\2/p' "$here/faults.sh" | expand -t 20; }

fault() {
  list_faults | grep -q "^$1 " || { say "no fault $1; stack.sh faults lists them"; return 2; }
  pid_of "$front" >/dev/null || { say 'nothing to break. Mend: stack.sh up'; return 1; }
  local end=$((SECONDS + $2))
  echo "$(date +%s) $1 begins"
  # Whatever happens, the host is left whole.
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap "mend $1 && echo \"\$(date +%s) $1 ends\"" EXIT
  break_ "$1" "$2"
  # A signal ends a wait at once, a sleep only afterwards.
  sleep $((end > SECONDS ? end - SECONDS : 0)) &
  wait $!
}
