# What the scripts of scenarios share: two instances, 6.0 and 7.0, or others, in a directory that goes away, on ports that
# nobody else has (ten of them, from $spare on), and words to say what must hold. STANDIN_BUILD has the programs.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export STANDIN_BUILD=${STANDIN_BUILD:-$here/../../build/tests/standin}
client=$STANDIN_BUILD/ttclient
pids=()

fail() {
    echo "FAILED: $*" >&2
    for log in "$top"/tt*/info/tterrors.log "$top"/tt*/diag/tterrors.log; do
        [ ! -s "$log" ] || { echo "--- $log"; tail -20 "$log"; } >&2
    done
    exit 1
}

# expect STATUS COMMAND…: runs it, its output in $output, and fails where its exit status is another one.
expect() {
    local wanted=$1 got
    shift
    output=$("$@" 2>&1)
    got=$?
    [ "$got" = "$wanted" ] || fail "exit $got instead of $wanted: $* : $output"
}

# says TEXT: the last output has it.
says() {
    [[ $output == *"$1"* ]] || fail "no \"$1\" in: $output"
}

silent_about() {
    [[ $output != *"$1"* ]] || fail "unexpected \"$1\" in: $output"
}

# within SECONDS COMMAND…: until it succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "not in time: $* : $("$@" 2>&1)"
        sleep 0.05
    done
}

# tt HOME COMMAND…: a utility of the instance, as its era has it called.
tt() {
    local home=$1 command=$2
    shift 2
    if [ -e "$home/bin/ttenv" ]; then
        "$home/bin/ttenv" "$command" "$@"
    else
        "$home/bin/$command" "$@"
    fi
}

listens() {
    tt "$1" ttStatus | grep -q "^TimesTen server pid"
}

is_gone() {
    ! kill -0 "$1"
}

# find_ports: ten ports from $spare on, ours until we end. Whoever looks must also see those on which nobody listens yet.
find_ports() {
    local port lock
    while :; do
        spare=$((21000 + (RANDOM * 32768 + RANDOM) % 1000 * 10))
        ports_lock=${TMPDIR:-/tmp}/standin-ports-$spare
        { exec {lock}>>"$ports_lock"; } 2>/dev/null || continue
        # The file goes away at the end of whoever has it: a lock on one that did is none.
        if flock -n $lock && [ "$ports_lock" -ef "/proc/$$/fd/$lock" ]; then
            for port in 0 1 2 3 4 5 6 7 8 9; do
                ! (exec 3<>"/dev/tcp/127.0.0.1/$((spare + port))") 2>/dev/null || continue 2
            done
            return
        fi
        exec {lock}>&-
    done
}

set_up() {
    top=$(mktemp -d "${TMPDIR:-/tmp}/standin.XXXXXX")
    trap tear_down EXIT
    find_ports
    next_port=$spare
    make_instances
}

# What every scenario of a script has; a script may have others.
make_instances() {
    old_port=$((spare + 2)) new_port=$((spare + 6))
    place tt60 6.0.8 $spare $old_port && old=$home
    place tt70 7.0.6 $((spare + 4)) $new_port && new=$home
}

# place NAME RELEASE [DAEMONPORT SERVERPORT]: an instance, whose home is $home then and whose server port $port, with the
# DSN sample; ports are the next two of $spare unless told.
place() {
    local daemon=${3:-$next_port}
    port=${4:-$((next_port + 1))} home=$top/$1
    [ $# -gt 2 ] || next_port=$((next_port + 2))
    "$here/install" / "$home" "$2" "$1" "$daemon" "$port" "$(id -un)" >"$top/install.out" 2>&1 ||
        fail "install: $(cat "$top/install.out")"
    "$here/install-dsn" / "$home" sample "$top/data${1#tt}/sample" || fail "install-dsn"
}

tear_down() {
    local home pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for home in "$top"/tt*; do
        pid=$(cat "$home/info/timestend.pid" 2>/dev/null) || continue
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != timestend ] || kill -9 "$pid"
    done
    rm -rf "$top" "$ports_lock"
}

start() {
    expect 0 tt "$1" ttDaemonAdmin -start
    within 60 listens "$1"
}

fault() {
    echo "$2" >>"$1/.standin/faults"
}

sql() {
    output=$(tt "$1" ttIsql -v1 -e "$2" "${3:-sample}" 2>&1)
}

# number NAME: the first figure of that name in the JSON in $output.
number() {
    grep -o "\"$1\":[0-9]*" <<<"$output" | head -1 | cut -d: -f2
}

# run_scenario SCRIPT [NAME]: lists the scenarios of a script, or does one.
run_scenario() {
    local names
    names=$(sed -n 's/^\([a-z0-9.-]*-[a-z0-9.-]*\)() {$/\1/p' "$1")
    if [ $# -ne 2 ]; then
        echo "$names"
        exit 0
    fi
    grep -qx -- "$2" <<<"$names" || { echo "no scenario $2" >&2; exit 2; }
    set_up
    "$2"
}
