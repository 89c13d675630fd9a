#!/bin/bash
# libsquall.so alone, copied into the oldest Debian that the configured mirror still offers, does
# its work there: with /proc, without it, and with nowhere to write. Part of `make check-real`:
# needs root and the network the first time; the tree is kept in the work folder.
. "$(dirname "$0")/lib.sh"
need_library
BIN=${SQUALL_BIN:-$ROOT/build/squall}
work=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}
skip() {
    echo "ok $RULE # skip $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root for chroot"
command -v debootstrap >/dev/null || skip "no debootstrap: tools/setup.sh real"

# ---- the tree ----

# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    2>/dev/null | grep -v security | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian/}

make_tree() {
    local release=$1 keys
    tree=$work/debian-$release
    /usr/lib/apt/apt-helper download-file "${mirror%/}/dists/$release/Release" \
        "$scratch/Release" >/dev/null 2>&1 || return 1
    for keys in keyring removed-keys; do
        rm -rf "$tree.new"
        debootstrap --variant=minbase --include=xz-utils \
            --keyring="/usr/share/keyrings/debian-archive-$keys.gpg" \
            "$release" "$tree.new" "$mirror" >"$scratch/debootstrap.log" 2>&1 || continue
        mv "$tree.new" "$tree"
        return 0
    done
    return 1
}

# ---- running in it ----

# Runs "$@" in the tree in a mount namespace of its own that the setting $1 prepares.
inside() {
    local setting=$1
    shift
    # shellcheck disable=SC2016 # expanded inside
    unshare -m bash -c '
        mount --make-rprivate / && mount --bind "$1" "$1" || exit 99
        case $2 in
        proc) mount -t proc proc "$1/proc" ;;
        no-proc) ;;
        read-only) mount -t proc proc "$1/proc" && mount -o remount,ro,bind "$1" ;;
        esac || exit 99
        tree=$1
        shift 2
        exec chroot "$tree" env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/ LC_ALL=C "$@"
    ' - "$tree" "$setting" "$@" </dev/null
}

# What runs there: C and C++, threads, large blocks, children.
# shellcheck disable=SC2016 # perl's own
programs=(
    'perl -e %h = map { $_ => "x" x ($_ % 300) } 1 .. 60000; print length(join "", values %h), "\n"'
    'perl -e for (1 .. 3) { if (!fork) { @a = (1 .. 20000); exit } } wait for 1 .. 3; print "done\n"'
    'apt-cache --version'
    'apt-config dump'
    'xz -T2 -1 -k -c /usr/share/perl5/Debconf/Db.pm /usr/bin/perl'
    'sort --parallel=2 -k2 /var/lib/dpkg/status'
    'dpkg-query -W'
)
# The words of a program: of perl's, all that follows -e is one.
split() {
    if [[ $1 == perl\ -e\ * ]]; then
        words=(perl -e "${1#perl -e }")
    else
        read -ra words <<<"$1"
    fi
}

# One program in one setting and mode, against what it printed without squall.
check() {
    local setting=$1 mode=$2 program=$3 at=$scratch/run why="" lines
    split "$program"
    rm -rf "$at" "$tree/squall"
    mkdir "$at"
    [ "$setting" = read-only ] || mkdir -m 1777 "$tree/squall"
    inside "$setting" "${words[@]}" >"$at/plain" 2>"$at/plain.error"
    echo "$?" >>"$at/plain"
    inside "$setting" SQUALL_DIR=/squall "SQUALL_CONF=mode:$mode" LD_PRELOAD=/libsquall.so \
        "${words[@]}" >"$at/out" 2>"$at/error"
    echo "$?" >>"$at/out"
    cmp -s "$at/plain" "$at/out" || why+="other output; "
    lines=$(grep -ac '^squall' "$at/error")
    grep -av '^squall' "$at/error" | cmp -s - "$at/plain.error" || why+="other messages: $(head -n 1 "$at/error"); "
    if [ "$setting" = read-only ]; then
        # Each process that has something to record says so once.
        [ "$lines" -ge 1 ] || why+="says nothing of having nowhere to write; "
    else
        [ "$lines" -le 1 ] || why+="$lines lines on stderr; "
        "$BIN" report --json "$tree/squall" >"$at/report" 2>"$at/report.error" ||
            why+="no report: $(head -n 1 "$at/report.error"); "
        /usr/bin/python3 - "$at/report" "$setting" "$mode" "$at/error" <<'PYTHON' || why+="the report has no allocations, or does not say that /proc is missing; "
import json, sys
report, setting, mode, error = sys.argv[1:]
processes = json.load(open(report))["processes"]
said = open(error).read() + json.dumps([p["visibility"] for p in processes])
# In default mode a small program may have no block that is large or sampled: no site.
sys.exit(not (any(p["totals"]["allocs"] and (p["sites"] or mode == "default") for p in processes)
              and (setting != "no-proc" or "/proc" in said)))
PYTHON
    fi
    if [ -z "$why" ]; then
        passed=$((passed + 1))
    else
        echo "not ok $RULE $(basename "$tree") $setting $mode ${program:0:40}: $why"
        failed=$((failed + 1))
    fi
}

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$work"
tree=$(compgen -G "$work/debian-*" | grep -v '\.new$' | head -n 1)
for release in wheezy jessie stretch buster bullseye bookworm; do
    [ -z "$tree" ] || break
    make_tree "$release" || tree=""
done
[ -n "$tree" ] || skip "no Debian from $mirror: $(tail -n 1 "$scratch/debootstrap.log" 2>/dev/null)"
cp "$LIB" "$tree/libsquall.so"
passed=0 failed=0
for setting in proc no-proc read-only; do
    for mode in default exact; do
        for program in "${programs[@]}"; do
            check "$setting" "$mode" "$program"
        done
    done
done
rm -rf "$tree/squall"
[ "$failed" = 0 ] || exit 1
echo "ok $RULE ($passed runs in $(basename "$tree"), $(basename "$(readlink -f "$tree"/lib/x86_64-linux-gnu/libc.so.6)"))"
