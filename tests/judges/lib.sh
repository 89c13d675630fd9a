# Sourced by the judges. A judge is a test suite that nobody here wrote: it gets the sources of a
# Debian package, builds them once, and says in a function `suite` how they are run; `judge` runs
# that alone and under the library in each mode, and compares test by test.
# shellcheck shell=bash
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SQUALL_LIB:=$here/../../build/libsquall.so}" "${SQUALL_BIN:=$here/../../build/squall}"
JUDGE=$(basename "$0" .sh)
MODES=${MODES:-default exact}
LIMIT=${LIMIT:-1200} # of one command of a suite, in seconds: a net under hangs
WORK=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}/judges
export LC_ALL=C
unset SQUALL_CONF SQUALL_DIR
# Tests that may come out otherwise, since they do so alone from run to run, or judge what a preload
# must change: `pattern of the whole name|what it does`. They are told, and fail nobody.
EXCUSED=()

give_up() {
    echo "not ok $JUDGE: $*"
    exit 1
}

# Suites that want no root are run as nobody, if they are root's to begin with.
AS=()
OWNER=$(id -u)
if [ "$OWNER" = 0 ]; then
    AS=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    OWNER=65534:65534
fi
as_root() { AS=(); }

mkdir -p "$WORK" || give_up "cannot make $WORK"
scratch=$(mktemp -d "$WORK/run.XXXXXX") || give_up "cannot write to $WORK"
tmpfs=/dev/shm
[ -w "$tmpfs" ] || tmpfs=$scratch
all_dumps=$(mktemp -d "$tmpfs/squall-judge.XXXXXX") || give_up "cannot write to $tmpfs"
trap 'rm -rf "$scratch" "$all_dumps"' EXIT
chmod 755 "$scratch" "$all_dumps"
# Who runs the suite need not see into the checkout.
install -m 755 "$SQUALL_LIB" "$scratch/libsquall.so" || give_up "$SQUALL_LIB is not built"

# asked APT-TOOL ARGUMENT…: apt with the lists of sources beside the machine's own, which stay as
# they are
asked() {
    local tool=$1 apt=$WORK/apt mirror
    shift
    if [ ! -e "$apt/conf" ]; then
        mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
        # shellcheck disable=SC2016 # apt's own placeholder
        mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' \
            'Origin: Debian' 2>/dev/null | grep -vE 'security|-updates|-backports' | head -n 1)
        mirror=${mirror:-http://deb.debian.org/debian/ bookworm}
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror main" \
            >"$apt/sources.list"
        printf 'Dir::Etc::sourcelist "%s"; Dir::Etc::sourceparts "-"; Dir::State::lists "%s";\n' \
            "$apt/sources.list" "$apt/lists" >"$apt/conf.new"
        printf 'Dir::Cache "%s"; APT::Sandbox::User "root"; Acquire::Languages "none";\n' \
            "$apt/cache" >>"$apt/conf.new"
        APT_CONFIG=$apt/conf.new apt-get -qq update || return 1
        mv "$apt/conf.new" "$apt/conf"
    fi
    APT_CONFIG=$apt/conf "$tool" -qq "$@"
}

# source_of PACKAGE: its sources, fetched once: their folder in $src, their version in $version
source_of() {
    local at=$WORK/$1
    if [ ! -e "$at/version" ]; then
        rm -rf "$at"
        mkdir -p "$at"
        (cd "$at" && asked apt-get source "$1") >"$at/log" 2>&1 ||
            give_up "no sources of $1: $(tail -n 1 "$at/log")"
        sed -n 's/^Version: //p' "$at"/*.dsc | head -n 1 >"$at/version"
    fi
    version=$(<"$at/version")
    src=$(find "$at" -mindepth 1 -maxdepth 1 -type d | head -n 1)
}

# built HOW…: runs the function HOW in $src, once for this way of building
built() {
    local mark
    mark=$src/.built-$(cat "$0" "$here/lib.sh" | sed -n "/^$1()/,/^}/p" | cksum | cut -d' ' -f1)
    [ -e "$mark" ] && return 0
    (cd "$src" && set -e && "$@") >"$src.log" 2>&1 ||
        give_up "does not build: $(grep -aE 'rror' "$src.log" | tail -n 1) (all of it: $src.log)"
    chown -R "$OWNER" "$src"
    : >"$mark"
}

# under COMMAND…: runs it in the mode at hand, as who the suite is run as; BEHIND is preloaded, too
under() {
    local -a preload=(${BEHIND:+LD_PRELOAD="$BEHIND"})
    [ "$mode" = alone ] || preload=(LD_PRELOAD="$scratch/libsquall.so${BEHIND:+:$BEHIND}"
        SQUALL_DIR="$dumps" SQUALL_CONF="mode:$mode")
    timeout -k 10 "$LIMIT" "${AS[@]}" env HOME="$home" TMPDIR="$home" "${preload[@]}" "$@"
}

# result HOW NAME: one test of the suite; HOW begins with pass or skip, or it failed
result() { printf '%s\t%s\n' "$1" "${2//$'\n'/ }" >>"$results"; }

# each NAME COMMAND…: a program that is a test; what it printed must be the same
each() {
    local name=$1 status sum
    shift
    under "$@" >"$out/said" 2>&1 </dev/null
    status=$?
    sum=$(cksum <"$out/said" | cut -d' ' -f1)
    cp "$out/said" "$out/said-${name//[^A-Za-z0-9._-]/_}"
    if [ "$status" = 0 ]; then result "pass, and prints $sum" "$name"; else result "exit status $status" "$name"; fi
}

# ends NAME COMMAND…: the same for programs that print what differs from run to run
ends() {
    local name=$1 status
    shift
    under "$@" >"$out/said-${name//[^A-Za-z0-9._-]/_}" 2>&1 </dev/null
    status=$?
    if [ "$status" = 0 ]; then result pass "$name"; else result "exit status $status" "$name"; fi
}

# A look at what was recorded: a suite that ran past the library judges nothing.
recorded() {
    local look=$out/look number
    number=$(find "$dumps" -name '*.region' | wc -l)
    mkdir "$look"
    find "$dumps" -name '*.region' | head -n 20 | xargs -r cp --sparse=always -t "$look"
    if [ "$number" = 0 ]; then
        echo "nothing was recorded"
    elif ! "$SQUALL_BIN" report --json "$look" 2>"$out/error" | grep -q '"allocs"'; then
        echo "$number regions, but no report: $(head -n 1 "$out/error")"
    else
        echo "$number"
    fi >"$out/regions"
    rm -rf "$look"
}

# judge VERSION: all of it; does not return
judge() {
    local mode out dumps home results
    for mode in alone $MODES; do
        out=$scratch/$mode dumps=$all_dumps/$mode home=$scratch/home results=$scratch/$mode/results
        rm -rf "$home"
        mkdir "$out" "$dumps" "$home"
        chmod 1777 "$out" "$dumps" "$home"
        : >"$results"
        suite
        [ "$mode" = alone ] || recorded
        rm -rf "$dumps"
        if [ -n "${KEEP:-}" ]; then
            mkdir -p "$KEEP/$JUDGE"
            rm -rf "${KEEP:?}/$JUDGE/$mode"
            cp -r "$out" "$KEEP/$JUDGE/"
        fi
    done
    # shellcheck disable=SC2086 # words
    /usr/bin/python3 "$here/compare.py" "$JUDGE" "$1" "$scratch" "${ROWS:-$scratch}" \
        "$(printf '%s\n' "${EXCUSED[@]}")" $MODES
    exit
}
