# Sourced by the tests of this folder: toolchains, builds of the producer, runs and what they left.
# shellcheck shell=bash
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${SQUALL_LIB:=$here/../../build/libsquall.so}" "${SQUALL_BIN:=$here/../../build/squall}"
: "${TMPDIR:=/tmp}"
SQUALL_WORK=${SQUALL_WORK:-$TMPDIR/squall-work}
LIBRARIES=/usr/share/gocode # Debian's golang-*-dev
failures=0

ok() { echo "ok $1"; }
not_ok() {
    echo "not ok $1: $2"
    failures=$((failures + 1))
}
finish() { exit $((failures > 0)); }

# root_of VERSION: where a toolchain is: Debian's own, or what toolchains.sh got
root_of() {
    local root
    for root in "/usr/lib/go-$1" "$SQUALL_WORK/go-$1/usr/lib/go-$1"; do
        [ -x "$root/bin/go" ] && echo "$root" && return 0
    done
    return 1
}

# versions: those that are there, oldest first
versions() {
    printf '%s\n' /usr/lib/go-1.* "$SQUALL_WORK"/go-1.*/usr/lib/go-1.* | grep -v '\*' |
        sed 's|.*/go-||' | sort -uV
}

need_go() {
    [ -n "$(versions)" ] && [ -d "$LIBRARIES/src/github.com/klauspost/compress" ] && return 0
    echo "ok go # skip no golang-go, or no golang-github-klauspost-compress-dev: tools/setup.sh check"
    exit 77
}

# build VERSION HOW [SOURCE]: the producer, or another of src, kept in $program. HOW: dynamic,
# stripped, pie, bare (the same without cgo: the loader runs, and there is no C library), static,
# static-pie
build() {
    local root cgo=1 source=${3:-producer}
    local -a flags=()
    root=$(root_of "$1") || return 1
    case $2 in
    stripped) flags=("-ldflags=-s -w") ;;
    pie) flags=(-buildmode=pie) ;;
    bare) cgo=0 flags=(-buildmode=pie) ;;
    static) cgo=0 flags=("-ldflags=-s -w") ;;
    static-pie) flags=(-buildmode=pie "-ldflags=-linkmode external -extldflags -static-pie") ;;
    esac
    program=$SQUALL_WORK/go-programs/$1-$2
    [ "$source" = producer ] || program+=-$source
    mkdir -p "$SQUALL_WORK/go-programs"
    [ -z "$(find "$program" -newer "$here/src/$source/main.go" 2>/dev/null)" ] || return 0
    (cd "$here/src/$source" && env GOROOT="$root" GOPATH="$SQUALL_WORK/gopath:$LIBRARIES" \
        GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local GOCACHE="$SQUALL_WORK/go-cache" \
        CGO_ENABLED="$cgo" "$root/bin/go" build -p 2 "${flags[@]}" -o "$program" .)
}

# words_of HOW: what check.py has to know of it
words_of() { case $1 in bare | static*) ;; *) echo cgo ;; esac; }

# fresh: an empty folder for dumps, in $dumps
fresh() {
    dumps=$(mktemp -d "$TMPDIR/dumps.XXXXXX")
    chmod 700 "$dumps"
}

# watch CONF ARGUMENT…: runs $program under squall; its counts go to $dumps/counts
watch() {
    local conf=$1
    shift
    SQUALL_CONF=$conf "$SQUALL_BIN" run --quiet --dir "$dumps" -- "$program" \
        -report "$dumps/counts" "$@"
}

# until_found PID RULE: what is in $dumps says so of a program that still runs; fails if it, or who started
# it, has ended before
until_found() {
    until "$SQUALL_BIN" report --json "$dumps" 2>/dev/null | grep -q "\"rule\":\"$2\""; do
        kill -0 "$1" 2>/dev/null || return 1
    done
}

# check NAME MODE [WORD…]: what is in $dumps against the counts, see check.py
check() {
    local name=$1 out
    shift
    "$SQUALL_BIN" report --json "$dumps" >"$dumps/json" 2>"$dumps/error" ||
        { not_ok "$name" "no report: $(head -n 1 "$dumps/error")"; return; }
    if out=$(/usr/bin/python3 "$here/check.py" "$dumps/json" "$dumps/counts" "$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name" "$(tail -n 1 <<<"$out")"
    fi
}
