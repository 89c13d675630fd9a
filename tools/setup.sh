#!/bin/bash
# Finds which Debian packages are missing for the named groups, says which, and installs them.
#
#   tools/setup.sh [-n] GROUP…   groups: build page demo check real judges package bench fuzz; -n only
#                                says what is missing
#
# Quiet and quick when nothing is missing. Needs root or sudo only to install. Servers among the
# packages are not started by their installation.
set -u

# What each group needs; a group does not repeat what another has.
declare -A PACKAGES=(
    # The library and the companion. demangle.h and libiberty.a name C++ and Rust functions.
    [build]="gcc g++ libc6-dev make pkg-config libdw-dev libelf-dev libzstd-dev libyajl-dev
        libmicrohttpd-dev uthash-dev libiberty-dev libncurses-dev libprotobuf-c-dev
        protobuf-c-compiler zlib1g-dev liblzma-dev"
    # The page of report --html. An npm from elsewhere will do, and Debian's would not go beside it.
    [page]="nodejs npm"
    # The producer that make demo watches.
    [demo]="librdkafka-dev"
    # The tests: unit and target programs, the rules, and the real programs of `make check`.
    [check]="binutils git python3 libcmocka-dev libunwind-dev liblz4-dev
        libsnappy-dev libbrotli-dev libbz2-dev liblzf-dev libdeflate-dev
        libisal-dev libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0 python3-confluent-kafka
        python3-zstandard redis-server procps strace tmux prometheus python3-prometheus-client
        python3-yaml bpftrace sqlite3 golang-go golang-github-klauspost-compress-dev
        golang-github-andybalholm-brotli-dev golang-github-datadog-zstd-dev
        golang-github-golang-snappy-dev golang-github-klauspost-pgzip-dev
        golang-github-pierrec-lz4-dev golang-github-valyala-gozstd-dev fish zsh groff-base gdb
        eatmydata faketime libcap2-bin e2fsprogs btrfs-progs musl-tools"
    # The whole matrix of `make check-real`, and the oldest Debian that can be had.
    [real]="kcat openjdk-17-jdk-headless libzstd-jni-java libsnappy-java liblz4-java nodejs
        rocksdb-tools nginx-light apache2-bin borgbackup pigz pixz squashfs-tools rsyslog
        debootstrap golang-go chromium valgrind libdevel-nytprof-perl python3-jsonschema
        google-perftools libjemalloc-dev"
    # Test suites of others: what builds and drives them.
    [judges]="dpkg-dev xz-utils zstd tcl tcl-dev perl"
    # The package, and what judges it.
    [package]="dpkg-dev lintian"
    # What `make fuzz` is built with.
    [fuzz]="clang libclang-rt-dev llvm"
    # The peers that `make bench` compares with.
    [bench]="heaptrack libjemalloc2 libgoogle-perftools4 zstd"
)

die() {
    echo "setup: $*" >&2
    exit 1
}

usage() {
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# Prints those of its arguments that are not installed.
missing() {
    local installed
    # dpkg-query fails when it knows one of them not at all; what it prints still counts.
    # shellcheck disable=SC2016 # the field names are dpkg-query's
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p')
    printf '%s\n' "$@" | grep -vxF -e "$installed" | tr '\n' ' '
}

# What runs apt: nothing for root, sudo for others.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -o DPkg::Lock::Timeout=600 \
        "$@" </dev/null
}

install() {
    local policy=/usr/sbin/policy-rc.d log status=0
    log=$(mktemp) || exit 1
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
            as_root chmod 755 "$policy"
        # shellcheck disable=SC2064 # the path as it is now
        trap "as_root rm -f $policy" EXIT
    fi
    # Package lists that are not there, or too old to be served still, are fetched once.
    if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
        apt update >"$log" 2>&1
    fi
    if ! apt install -y --no-install-recommends "$@" >"$log" 2>&1; then
        apt update >"$log" 2>&1
        apt install -y --no-install-recommends "$@" >>"$log" 2>&1 || status=1
    fi
    [ "$status" = 0 ] || tail -n 5 "$log" >&2
    rm -f "$log"
    return "$status"
}

only_say=false
if [ "${1:-}" = -n ]; then
    only_say=true
    shift
fi
[ $# -gt 0 ] || usage
wanted=()
for group; do
    [ -n "${PACKAGES[$group]+known}" ] || usage
    [ "$group" = page ] && command -v node >/dev/null && command -v npm >/dev/null && continue
    # shellcheck disable=SC2206 # the list is meant to be split
    wanted+=(${PACKAGES[$group]})
done
[ ${#wanted[@]} -gt 0 ] || exit 0
if ! command -v dpkg-query >/dev/null; then
    echo "setup: not Debian; needed is what these packages hold: ${wanted[*]}" >&2
    exit 0
fi

# shellcheck disable=SC2207
absent=($(missing "${wanted[@]}"))
[ ${#absent[@]} -gt 0 ] || exit 0
echo "setup: missing for $*: ${absent[*]}" >&2
$only_say && exit 1
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "not root and no sudo; run as root: apt-get install ${absent[*]}"
echo "setup: installing them" >&2
install "${absent[@]}" || die "apt-get could not install: ${absent[*]}"
