# What the scenarios of further releases share. STANDIN_HELPER is the product's instance-helper, which must know what it
# sees.
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
STANDIN_HELPER=${STANDIN_HELPER:-$STANDIN_BUILD/../../timesten/instance-helper}

# They place their own.
make_instances() {
    :
}

# probe: what the product says of the instance in $home.
probe() {
    expect 0 "$STANDIN_HELPER" probe "$home"
    says "Home=$home"
    says "Release=$1"
    says "DaemonPort=$((port - 1))"
    says "ServerPort=$port"
    says "PreloadMissing=no"
    says "ClientSql=yes"
    says "OptionsWritable=yes"
    says "DataStore=$top/data${home##*/tt}/sample"
}

# served RELEASE…: of all clients the server at $port takes just these.
served() {
    local release wanted
    for release in 5.1.36 6.0.8 7.0.6 11.2.1.9.0 11.2.2.8.27 18.1.4.1.0 22.1.1.18.0; do
        wanted=2
        [[ " $* " != *" $release "* ]] || wanted=0
        expect $wanted "$client" --server 127.0.0.1:$port --dsn sample --client-release $release
    done
}
