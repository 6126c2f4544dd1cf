# What the scenarios of replication share: two stores, LEFT of the first home and RIGHT of the second, and words to join
# and to ask them.
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"

# quick HOME…: states that change within a quarter of a second, and an agent that is soon back.
quick() {
    local home
    for home in "$@"; do
        printf '%s=%s\n' replication-state-seconds 0.25 agent-restart-seconds 0.1 replication-retry-seconds 0.1 \
            agent-start-seconds 0 >"$home/.standin/tune"
    done
}

# another: a second instance of 7.0, for what only equals do.
another() {
    twin=$top/tt71 twin_port=$((spare + 3))
    "$here/install" / "$twin" 7.0.6 tt71 $((spare + 1)) $twin_port "$(id -un)" || fail "install"
}

# dsns HOME-OF-LEFT HOME-OF-RIGHT
dsns() {
    a=$1 b=$2
    "$here/install-dsn" / "$a" left "$top/data/left" "LogFileSize=0.005" || fail "install-dsn"
    "$here/install-dsn" / "$b" right "$top/data/right" "LogFileSize=0.005" || fail "install-dsn"
}

# scheme_text ATTRIBUTES [LEFT-PORT RIGHT-PORT]: both ways, all tables; without ports dynamic ones.
scheme_text() {
    local attributes=${1:-} port_left=${2:+port $2} port_right=${3:+port $3}
    echo "create replication TT.R element E1 datastore master left on \"localhost\" subscriber right on \"localhost\"
        element E2 datastore master right on \"localhost\" subscriber left on \"localhost\"
        store left on \"localhost\" $port_left $attributes store right on \"localhost\" $port_right $attributes;"
}

# ddl HOME DSN: the table that is replicated; what 6.0 calls INTEGER is TT_INTEGER from 7.0 on.
ddl() {
    local prefix=TT_
    [ "$1" != "$old" ] || prefix=
    quiet "$1" "create table TT.ROWS (ID ${prefix}INTEGER primary key, WORD ${prefix}VARCHAR(20));" "$2"
}

quiet() {
    sql "$@"
    [ -z "$output" ] || fail "$2 : $output"
}

# join HOME-OF-LEFT HOME-OF-RIGHT: two running instances whose stores replicate both ways.
join() {
    dsns "$1" "$2"
    quick "$1" "$2"
    start "$1"
    [ "$1" = "$2" ] || start "$2"
    ddl "$a" left
    ddl "$b" right
    quiet "$a" "$(scheme_text "" $((spare + 8)) $((spare + 9)))" left
    quiet "$b" "$(scheme_text "" $((spare + 8)) $((spare + 9)))" right
    expect 0 "$a/bin/ttAdmin" -wait -repStart left
    expect 0 "$b/bin/ttAdmin" -wait -repStart right
}

# shows HOME DSN SQL ROWS: until the query gives these rows (words of ttIsql, one line).
shows() {
    local end=$((SECONDS + 90))
    while :; do
        sql "$1" "$3" "$2"
        [ "$(tr '\n' ' ' <<<"$output" | sed 's/ $//')" != "$4" ] || return 0
        [ $SECONDS -lt $end ] || fail "$2: $3 gives $output, not $4"
        sleep 0.05
    done
}

agent_pid() {
    "$1/bin/ttStatus" | awk '$1 == "Replication" && $2 ~ /^[0-9]+$/ { print $2; exit }
        /^Replication pid/ { print $3; exit }'
}

# is_logged HOME TEXT
is_logged() {
    grep -q -- "$2" "$1/info/ttmesg.log"
}

# linked HOME, unlinked HOME: whether a peer sends to the agent there.
linked() {
    "$1/bin/ttStatus" | grep -q "^Replication .* RECEIVER "
}

unlinked() {
    ! linked "$1"
}

# hold HOME DSN, last HOME DSN: places of ttRepAdmin -bookmark.
hold() {
    "$1/bin/ttRepAdmin" -bookmark "$2" | sed -n 's/^Replication hold LSN \.* //p'
}

last() {
    "$1/bin/ttRepAdmin" -bookmark "$2" | sed -n 's/^Last written LSN \.* //p'
}

# state HOME DSN PEER STATE
state() {
    expect 0 "$1/bin/ttRepAdmin" -receiver -name "$3" -host localhost -state "$4" "$2"
}

# words HOME DSN FROM TO: a row each, in a transaction each.
words() {
    local i statements=
    for ((i = $3; i <= $4; i++)); do statements+="insert into TT.ROWS values ($i, 'word $i');"; done
    quiet "$1" "$statements" "$2"
}
