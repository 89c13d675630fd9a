#!/bin/bash
# Where the region goes: SQUALL_DIR, $XDG_RUNTIME_DIR/squall, /dev/shm/squall-UID, /tmp/squall-UID,
# memory; folders that are not ours alone are refused.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root, to be another user"; exit 77; }
public
uid=64871
shm=/dev/shm/squall-$uid
tmp=/tmp/squall-$uid
trap 'rm -rf "$shm" "$tmp"' EXIT
rm -rf "$shm" "$tmp"

# run VARIABLE=VALUE…: /bin/true as another user, in an environment of just these
run() {
    setpriv --reuid=$uid --regid=$uid --clear-groups env -i "$@" LD_PRELOAD="$SQUALL_LIB" /bin/true \
        2>"$TMPDIR/err"
}
# expect NAME FOLDER: exactly one region, in this folder, of mode 0600
expect() {
    local found
    found=$(find "$2" -name 'squall.*.region' -perm 0600 2>/dev/null | wc -l)
    if [ "$found" = 1 ]; then ok "$1"; else not_ok "$1" "$found regions in $2: $(cat "$TMPDIR/err")"; fi
    rm -rf "${2:?}"/squall.*
}

dir=$TMPDIR/dir
mkdir -m 1777 "$dir"
run SQUALL_DIR="$dir" XDG_RUNTIME_DIR="$TMPDIR/run"
expect "SQUALL_DIR" "$dir"
run SQUALL_DIR="$TMPDIR/made"
expect "SQUALL_DIR is made" "$TMPDIR/made"

# On a disk each first touch would read megabytes of the hole ahead: start-up took 12 ms there.
SQUALL_DIR="$dir" LD_PRELOAD="$SQUALL_LIB" cat /proc/self/smaps >"$TMPDIR/smaps"
awk '/squall\..*\.region/ {is_ours = 1} is_ours && /^VmFlags:/ {print; exit}' "$TMPDIR/smaps" >"$TMPDIR/flags"
if grep -qw rr "$TMPDIR/flags" && grep -qw nh "$TMPDIR/flags"; then
    ok "no reading ahead, no huge pages"
else
    not_ok "no reading ahead, no huge pages" "$(cat "$TMPDIR/flags")"
fi
rm -f "$dir"/squall.*

install -d -m 700 -o $uid "$TMPDIR/run"
run XDG_RUNTIME_DIR="$TMPDIR/run"
expect "XDG_RUNTIME_DIR" "$TMPDIR/run/squall"

for runtime in "" relative "$TMPDIR/not-there"; do
    run XDG_RUNTIME_DIR="$runtime"
    expect "/dev/shm, XDG_RUNTIME_DIR is '${runtime##*/}'" "$shm"
done
run
expect "/dev/shm" "$shm"
[ -e /squall ] && not_ok "no folder in the root" "/squall was made"

# Somebody was there before us: a folder that is not ours, open to others, or a link.
rm -rf "$shm"
mkdir -m 700 "$shm"
run
expect "a folder of somebody else is refused" "$tmp"
rm -rf "$shm"
install -d -m 777 -o $uid "$shm"
run
expect "a folder open to others is refused" "$tmp"
rm -rf "$shm"
install -d -m 700 -o $uid "$TMPDIR/elsewhere"
ln -s "$TMPDIR/elsewhere" "$shm"
chown -h $uid "$shm"
run
expect "a link is refused" "$tmp"

# The companion, too, keeps to what is its user's: a recording that somebody else laid there is not
# taken for ours, packed or removed.
install -m 755 "$SQUALL_BIN" "$TMPDIR/squall"
asks() {
    setpriv --reuid=$uid --regid=$uid --clear-groups env -i "$TMPDIR/squall" "$@" 2>"$TMPDIR/err"
}
# leaves NAME COMMAND…: it fails with a line, and the bait is as it was
leaves() {
    local name=$1 before
    shift
    before=$(ls -l "$shm" "$tmp" 2>/dev/null)
    if asks "$@" >"$TMPDIR/out" || [ -s "$TMPDIR/out" ]; then
        not_ok "$name" "$(cat "$TMPDIR/out")"
    elif [ "$(ls -l "$shm" "$tmp" 2>/dev/null)" != "$before" ] || ! grep -q '^squall: ' "$TMPDIR/err"; then
        not_ok "$name" "$before, then $(ls -l "$shm" "$tmp"): $(cat "$TMPDIR/err")"
    else
        ok "$name"
    fi
}
rm -rf "$shm" "$tmp"
run
bait=$(find "$shm" -name '*.region')
install -d -m 755 "$TMPDIR/bait" && mv "$bait" "$TMPDIR/bait"
chmod 644 "$TMPDIR/bait"/*
rm -rf "$shm" "$tmp"
cp -r "$TMPDIR/bait" "$shm" && cp -r "$TMPDIR/bait" "$tmp"
leaves "report: names that others have taken" report --json
leaves "pack: names that others have taken" pack
leaves "clean: names that others have taken" clean --older 0
rm -rf "$shm" "$tmp"
ln -s "$TMPDIR/bait" "$shm"
ln -s "$TMPDIR/bait" "$tmp"
leaves "report: links" report --json
leaves "clean: links" clean --older 0

# Nowhere at all: memory, and one line.
rm -rf "$shm" "$tmp"
mkdir -m 700 "$shm" "$tmp"
run
lines=$(wc -l <"$TMPDIR/err")
if [ "$lines" = 1 ] && grep -q '^squall: .*recording into memory only' "$TMPDIR/err"; then
    ok "memory, with one line"
else
    not_ok "memory, with one line" "$(cat "$TMPDIR/err")"
fi

# perm: for a reader of another uid
install -d -m 700 -o $uid "$TMPDIR/perm"
run SQUALL_DIR="$TMPDIR/perm" SQUALL_CONF=perm:0640
[ "$(find "$TMPDIR/perm" -name '*.region' -perm 0640 | wc -l)" = 1 ] && ok "perm" ||
    not_ok "perm" "$(ls -l "$TMPDIR/perm")"
finish
