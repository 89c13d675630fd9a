#!/bin/bash
# The package and the archive where neither squall nor what it is built with ever was: a fresh Debian
# of the kind that this runs on. The package pleases lintian, is installed by apt, shows the zstd
# workspace of kcat, and is gone after its removal; the archive builds without git and npm, and its
# demo runs. Part of `make check-real`: needs root, and the network the first time; the tree is kept
# in the work folder, and what is tried happens in a copy of it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${SQUALL_BUILD:-$root/build}
work=${SQUALL_WORK:-${TMPDIR:-/tmp}/squall-work}
failures=0
ok() { echo "ok package: $1"; }
not_ok() {
    echo "not ok package: $1: $2"
    failures=$((failures + 1))
}
skip() {
    echo "ok package # skip $*"
    exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root for chroot"
for tool in debootstrap lintian dpkg-shlibdeps; do
    command -v "$tool" >/dev/null || skip "no $tool: tools/setup.sh real package"
done
scratch=$(mktemp -d) || exit 1
tree=$scratch/tree
mkdir "$tree"
# The copy is what changes above the kept tree: gone with the mount.
unmount() {
    umount -l "$tree/proc" 2>/dev/null
    umount -l "$tree" 2>/dev/null
    umount -l "$scratch/above" 2>/dev/null
    rm -rf --one-file-system "$scratch"
}
trap unmount EXIT

# ---- a fresh Debian ----

# shellcheck disable=SC1091 # of the system
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt's own placeholder
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
    2>/dev/null | grep -v security | head -n 1)
kept=$work/fresh-$release
mkdir -p "$work"
if [ ! -e "$kept/etc/debian_version" ]; then
    rm -rf "$kept.new"
    debootstrap --variant=minbase "$release" "$kept.new" "${mirror:-http://deb.debian.org/debian/}" \
        >"$scratch/log" 2>&1 || skip "no Debian: $(tail -n 1 "$scratch/log")"
    # The sources of this machine, which may know a mirror that others do not.
    cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d /etc/apt/keyrings "$kept.new/etc/apt/" 2>/dev/null
    mv "$kept.new" "$kept"
fi
mkdir "$scratch/above"
mount -t tmpfs -o size=2g above "$scratch/above" && mkdir "$scratch/above/upper" "$scratch/above/work" &&
    { mount -t overlay overlay -o "lowerdir=$kept,upperdir=$scratch/above/upper,workdir=$scratch/above/work" \
        "$tree" 2>/dev/null || { mount -t tmpfs -o size=3g tree "$tree" && cp -a "$kept/." "$tree"; }; } &&
    mount -t proc proc "$tree/proc" || skip "no mounts here"
cp /etc/resolv.conf "$tree/etc/resolv.conf"

inside() {
    chroot "$tree" env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LC_ALL=C \
        DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}
# must NAME COMMAND…
must() {
    local name=$1
    shift
    "$@" >"$scratch/log" 2>&1 && ok "$name" || { not_ok "$name" "$(tail -n 2 "$scratch/log" | tr '\n' ' ')"; return 1; }
}
# All that is there, without what apt keeps for itself.
list() {
    find "$tree" -xdev \( -path "$tree/proc" -o -path "$tree/var/cache" -o -path "$tree/var/lib/apt" -o \
        -path "$tree/var/lib/dpkg" -o -path "$tree/var/log" -o -path "$tree/tmp" -o -path "$tree/dev" \) \
        -prune -o -print | sort
}

# ---- the package ----

make -s -C "$root" B="$build" deb >"$scratch/log" 2>&1 || not_ok "make deb" "$(tail -n 1 "$scratch/log")"
deb=$(ls -t "$build"/squall_*.deb | head -n 1)
lintian --fail-on error,warning "$deb" >"$scratch/log" 2>&1 && ok "lintian has no word against it" ||
    not_ok "lintian has no word against it" "$(grep '^[EW]' "$scratch/log" | head -n 3)"
must "the tree has its lists" inside apt-get -q update
inside apt-get -qy --no-install-recommends install kcat >"$scratch/log" 2>&1 || not_ok kcat "$(tail -n 1 "$scratch/log")"
# What the package asks for is there before, so that it alone makes the difference.
# shellcheck disable=SC2046 # names, to be split
inside apt-get -qy --no-install-recommends install $(dpkg-deb -f "$deb" Depends |
    sed 's/([^)]*)//g; s/,/ /g') >"$scratch/log" 2>&1
list >"$scratch/before"
cp "$deb" "$tree/tmp/squall.deb"
must "apt installs it" inside apt-get -qy --no-install-recommends install /tmp/squall.deb
must "kcat runs under it" inside sh -c 'seq 300000 >/tmp/lines && cd /tmp &&
    squall run -o kcat.squall -- kcat -P -b localhost -X test.mock.num.brokers=1 -t lines -z zstd -l lines'
if inside squall report --json /tmp/kcat.squall >"$scratch/json" 2>"$scratch/log" &&
    /usr/bin/python3 - "$scratch/json" <<'P'
import json, sys
p = json.load(open(sys.argv[1]))["processes"][0]
sites = [s for s in p["sites"] if s["codec"] == "zstd" and s["role"] == "workspace" and s["flagged"]]
sys.exit(not (sites and sites[0]["large"]["min"] > 1 << 20
              and any(f["rule"] == "batch-buffers" for f in p["findings"])))
P
then
    ok "the report has kcat's zstd workspace"
else
    not_ok "the report has kcat's zstd workspace" "$(tail -n 1 "$scratch/log")"
fi
must "apt removes it" inside apt-get -qy purge squall
difference=$(list | diff "$scratch/before" - | grep '^[<>]' | head -n 5 | tr '\n' ' ')
[ -z "$difference" ] && ok "nothing of it is left" || not_ok "nothing of it is left" "$difference"

# ---- the archive ----

make -s -C "$root" B="$build" dist >"$scratch/log" 2>&1 || not_ok "make dist" "$(tail -n 1 "$scratch/log")"
archive=$(ls -t "$build"/squall-*.tar.gz | head -n 1)
mkdir -p "$tree/src" && tar -xzf "$archive" -C "$tree/src" --strip-components=1
# Its own setup finds what it needs: git and npm are not among that.
must "the archive has what setup.sh finds" inside sh -c 'cd /src && tools/setup.sh build demo'
inside sh -c 'command -v git || command -v npm' >"$scratch/log" && not_ok "no git, no npm" "$(cat "$scratch/log")" ||
    ok "there is no git and no npm"
must "it builds without git and npm" inside make -j1 -C /src
must "its demo runs" inside make -C /src demo &&
    { grep -q 'batch-buffers' "$scratch/log" && ok "and finds" || not_ok "and finds" "no batch-buffers"; }
if [ -e "$tree/src/tools/page/built.html" ]; then
    must "it has the page without npm" inside sh -c 'cd /src && build/squall report --html build/demo/producer.squall | grep -qi "<html"'
fi
must "it installs" inside make -s -C /src install
must "what is installed runs" inside sh -c 'cd / && squall --version && squall run --quiet -o /tmp/x -- seq 10'
must "it uninstalls" inside make -s -C /src uninstall
left=$(find "$tree/usr/local" -type f)
[ -z "$left" ] && ok "and leaves nothing" || not_ok "and leaves nothing" "$left"
exit $((failures > 0))
